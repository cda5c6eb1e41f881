#include "ke/slot.hpp"

#include "ke/sanitizer.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <sys/mman.h>
#include <system_error>
#include <unistd.h>
#include <utility>

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

namespace dirql::ke {
namespace {

[[noreturn]] void fail(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

// A forked child would share the memory with its parent, and ruin the parent's machine: it gets nothing of a slot.
void* map(void* address, std::size_t bytes, int protection, int flags, int fd, off_t offset) noexcept {
    void* memory = mmap(address, bytes, protection, flags, fd, offset);
    if (memory != MAP_FAILED) madvise(memory, bytes, MADV_DONTFORK);
    return memory;
}

// Address space without memory behind it: any touch faults.
void* reserve(std::uintptr_t address, std::size_t bytes, int extra_flags) noexcept {
    return map(reinterpret_cast<void*>(address), bytes, PROT_NONE,
               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | extra_flags, -1, 0);
}

bool reservable(std::uintptr_t address) noexcept {
    void* got = reserve(address, page_size, MAP_FIXED_NOREPLACE);
    if (got == MAP_FAILED) return errno == EEXIST;
    munmap(got, page_size);
    return reinterpret_cast<std::uintptr_t>(got) == address;
}

HalfBases choose_halves() noexcept {
    const bool preferred = reservable(preferred_halves.user) && reservable(preferred_halves.system);
    return preferred ? preferred_halves : fallback_halves;
}

int create_memory(std::size_t bytes) {
    int fd = memfd_create("dirql-physical-memory", MFD_CLOEXEC | MFD_EXEC);
    if (fd < 0) fd = memfd_create("dirql-physical-memory", MFD_CLOEXEC); // kernels before 6.3 know no MFD_EXEC
    if (fd < 0) fail("memfd_create");
    if (ftruncate(fd, static_cast<off_t>(bytes)) != 0) {
        close(fd);
        fail("ftruncate of physical memory");
    }
    return fd;
}

Pfn* create_frame_table(std::size_t entries) {
    void* table = mmap(nullptr, entries * sizeof(Pfn), PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (table == MAP_FAILED) fail("mmap of a frame table");
    return static_cast<Pfn*>(table);
}

} // namespace

// Before every other variable of the library that is made of it (the data exports of mm).
__attribute__((init_priority(101))) const HalfBases detail::halves_in_force = choose_halves();

std::size_t Slot::Bitmap::take(std::size_t count) noexcept {
    std::size_t run = 0;
    for (std::size_t page = first_free_; page < pages_; ++page) {
        run = taken(page) ? 0 : run + 1;
        if (run != count) continue;
        const std::size_t first = page + 1 - count;
        mark_taken(first, count);
        return first;
    }
    return none;
}

std::size_t Slot::Bitmap::take_in(std::size_t count, const FrameRange& range) noexcept {
    const std::size_t end = std::min<std::size_t>(range.end, pages_);
    const auto aligned = [&](std::size_t page) { return (page + range.align - 1) & ~(range.align - 1); };
    for (std::size_t first = aligned(range.low); first < end && count <= end - first;) {
        const std::size_t last = first + count - 1;
        if (range.boundary != 0 && (first ^ last) >= range.boundary) {
            first = aligned(last & ~(range.boundary - 1));
            continue;
        }
        std::size_t page = first;
        while (page <= last && !taken(page)) ++page;
        if (page > last) {
            mark_taken(first, count);
            return first;
        }
        first = aligned(page + 1);
    }
    return none;
}

void Slot::Bitmap::mark_taken(std::size_t first, std::size_t count) noexcept {
    for (std::size_t i = first; i < first + count; ++i) words_[i / 64] |= std::uint64_t{1} << (i % 64);
    if (first == first_free_) first_free_ = first + count;
    high_water_ = std::max(high_water_, first + count);
}

void Slot::Bitmap::give(std::size_t first, std::size_t count) noexcept {
    for (std::size_t i = first; i < first + count; ++i) words_[i / 64] &= ~(std::uint64_t{1} << (i % 64));
    first_free_ = std::min(first_free_, first);
}

void Slot::Bitmap::clear() noexcept {
    std::fill_n(words_.begin(), (high_water_ + 63) / 64, 0);
    first_free_ = high_water_ = 0;
}

Slot::Slot(unsigned index, std::size_t physical_memory)
    : index_(index), owner_(getpid()), physical_pages_(pages_for(std::min(physical_memory, max_physical_memory))),
      free_pages_(physical_pages_), system_base_(reinterpret_cast<std::byte*>(halves().system + index * slot_size)),
      user_base_(reinterpret_cast<std::byte*>(halves().user + index * slot_size)), physical_(physical_pages_),
      views_(views_size / page_size) {
    const auto system = reinterpret_cast<std::uintptr_t>(system_base_);
    const auto user = reinterpret_cast<std::uintptr_t>(user_base_);
    if (reserve(system, slot_size, MAP_FIXED_NOREPLACE) != system_base_) fail("the system half of a slot is taken");
    if (reserve(user, slot_size, MAP_FIXED_NOREPLACE) != user_base_) fail("the user half of a slot is taken");
    memory_fd_ = create_memory(physical_pages_ * page_size);
    void* direct_map =
        map(system_base_, physical_pages_ * page_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, memory_fd_, 0);
    if (direct_map == MAP_FAILED) fail("mmap of physical memory");
    user_frames_ = create_frame_table(slot_size / page_size);
    view_frames_ = create_frame_table(views_size / page_size);
    view_lengths_ = create_frame_table(views_size / page_size);
    frame_locks_ = create_frame_table(physical_pages_);
}

Slot::~Slot() {
    munmap(user_frames_, slot_size / page_size * sizeof(Pfn));
    munmap(view_frames_, views_size / page_size * sizeof(Pfn));
    munmap(view_lengths_, views_size / page_size * sizeof(Pfn));
    munmap(frame_locks_, physical_pages_ * sizeof(Pfn));
    close(memory_fd_);
    if (in_forked_child()) return; // another slot may stand there
    forget_flows();
    munmap(system_base_, slot_size);
    munmap(user_base_, slot_size);
}

bool Slot::in_forked_child() const noexcept { return getpid() != owner_; }

std::byte* Slot::allocate_pages(std::size_t count) noexcept {
    if (count == 0 || count > free_pages_) return nullptr;
    const std::size_t first = physical_.take(count);
    if (first == Bitmap::none) return nullptr;
    free_pages_ -= count;
    return system_base_ + first * page_size;
}

std::byte* Slot::allocate_pages_in(std::size_t count, const FrameRange& range) noexcept {
    if (count == 0 || count > free_pages_) return nullptr;
    const std::size_t first = physical_.take_in(count, range);
    if (first == Bitmap::none) return nullptr;
    free_pages_ -= count;
    return system_base_ + first * page_size;
}

void Slot::free_pages(void* address, std::size_t count) noexcept {
    const auto offset = static_cast<std::size_t>(static_cast<std::byte*>(address) - system_base_);
    if (frames_locked_ != 0) [[unlikely]]
        return free_unlocked(offset >> page_shift, count);
    give(offset >> page_shift, count);
}

void Slot::give(std::size_t first, std::size_t count) noexcept {
    physical_.give(first, count);
    free_pages_ += count;
}

void Slot::free_unlocked(std::size_t first, std::size_t count) noexcept {
    for (std::size_t frame = first; frame < first + count; ++frame) {
        if (frame_locks_[frame] == 0) {
            give(frame, 1);
        } else {
            frame_locks_[frame] |= released_mark;
        }
    }
}

bool Slot::unlock_frame(Pfn frame) noexcept {
    std::uint32_t& locks = frame_locks_[frame];
    if (locks == 0) return false;
    if ((--locks & ~released_mark) != 0) return true;
    --frames_locked_;
    if (locks == 0) return true;
    locks = 0;
    give(frame, 1);
    return true;
}

bool Slot::protect(void* address, std::size_t count, int protection) noexcept {
    protections_changed_ = true;
    return mprotect(address, count * page_size, protection) == 0;
}

bool Slot::map_frames(std::byte* address, Pfn first, std::size_t count, bool writable) noexcept {
    const int protection = writable ? PROT_READ | PROT_WRITE : PROT_READ;
    const auto offset = static_cast<off_t>(std::size_t{first} << page_shift);
    if (map(address, count * page_size, protection, MAP_SHARED | MAP_FIXED, memory_fd_, offset) == MAP_FAILED)
        return false;
    const bool user = in_user_half(address);
    const std::byte* base = user ? user_base_ : system_base_ + views_offset;
    Pfn* table = user ? user_frames_ : view_frames_;
    const auto page = static_cast<std::size_t>(address - base) >> page_shift;
    for (std::size_t i = 0; i < count; ++i) table[page + i] = first + static_cast<Pfn>(i) + 1;
    if (user) user_pages_used_ = std::max(user_pages_used_, page + count);
    return true;
}

void Slot::unmap(std::byte* address, std::size_t count) noexcept {
    reserve(reinterpret_cast<std::uintptr_t>(address), count * page_size, MAP_FIXED);
    const bool user = in_user_half(address);
    const std::byte* base = user ? user_base_ : system_base_ + views_offset;
    Pfn* table = user ? user_frames_ : view_frames_;
    std::fill_n(table + (static_cast<std::size_t>(address - base) >> page_shift), count, 0);
}

std::byte* Slot::reserve_views(std::size_t count) noexcept {
    const std::size_t first = views_.take(count);
    if (first == Bitmap::none) return nullptr;
    view_lengths_[first] = static_cast<Pfn>(count);
    return system_base_ + views_offset + first * page_size;
}

void Slot::release_views(std::byte* address, std::size_t count) noexcept {
    unmap(address, count);
    const std::size_t first = view(address);
    const Pfn rest = view_lengths_[first] - static_cast<Pfn>(count);
    view_lengths_[first] = 0;
    if (rest != 0) view_lengths_[first + count] = rest;
    views_.give(first, count);
}

Pfn Slot::frame_of(const void* address) const noexcept {
    const auto* byte = static_cast<const std::byte*>(address);
    if (in_user_half(address)) return user_frames_[static_cast<std::size_t>(byte - user_base_) >> page_shift] - 1;
    if (!in_system_half(address)) return no_frame;
    const auto offset = static_cast<std::size_t>(byte - system_base_);
    if (offset < physical_pages_ * page_size) return static_cast<Pfn>(offset >> page_shift);
    if (offset - views_offset < views_size) return view_frames_[(offset - views_offset) >> page_shift] - 1;
    return no_frame;
}

void Slot::forget_flows() noexcept {
    if (power_off_ != nullptr) std::exchange(power_off_, nullptr)(power_off_context_);
    sanitizer::forget_stack(system_base_, system_base_ + physical_.high_water() * page_size);
    sanitizer::forget_stack(user_base_, user_base_ + user_pages_used_ * page_size);
}

void Slot::reset() noexcept {
    forget_flows();
    const std::size_t used = physical_.high_water() * page_size;
    if (protections_changed_) mprotect(system_base_, used, PROT_READ | PROT_WRITE);
    protections_changed_ = false;
    constexpr std::size_t cheaper_to_drop = std::size_t{4} << 20;
    if (used > cheaper_to_drop) {
        madvise(system_base_, used, MADV_REMOVE);
    } else {
        std::memset(system_base_, 0, used);
    }
    if (views_.high_water() != 0) unmap(system_base_ + views_offset, views_.high_water());
    std::fill_n(view_lengths_, views_.high_water(), 0);
    if (user_pages_used_ != 0) unmap(user_base_, user_pages_used_);
    user_pages_used_ = 0;
    if (frames_locked_ != 0) std::fill_n(frame_locks_, physical_.high_water(), 0);
    frames_locked_ = 0;
    physical_.clear();
    views_.clear();
    free_pages_ = physical_pages_;
}

} // namespace dirql::ke
