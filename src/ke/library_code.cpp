#include "ke/library_code.hpp"

#include <atomic>
#include <link.h>

namespace dirql::ke {
namespace {

std::atomic<std::uint64_t> text_begin;
std::atomic<std::uint64_t> text_size;

int look(dl_phdr_info* info, std::size_t, void* data) {
    const auto here = reinterpret_cast<std::uint64_t>(data);
    for (int i = 0; i < info->dlpi_phnum; ++i) {
        const ElfW(Phdr)& header = info->dlpi_phdr[i];
        const std::uint64_t begin = info->dlpi_addr + header.p_vaddr;
        if (header.p_type != PT_LOAD || (header.p_flags & PF_X) == 0 || here - begin >= header.p_memsz) continue;
        text_size.store(header.p_memsz, std::memory_order_relaxed);
        text_begin.store(begin, std::memory_order_release);
        return 1;
    }
    return 0;
}

} // namespace

void locate_library_code() noexcept {
    if (text_begin.load(std::memory_order_acquire) == 0)
        dl_iterate_phdr(look, reinterpret_cast<void*>(&locate_library_code));
}

bool is_library_code(std::uint64_t address) noexcept {
    return address - text_begin.load(std::memory_order_acquire) < text_size.load(std::memory_order_relaxed);
}

} // namespace dirql::ke
