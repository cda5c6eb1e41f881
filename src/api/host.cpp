#include <dirql/host.hpp>

#include "api/host_impl.hpp"
#include "ldr/exports.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <sys/stat.h>
#include <system_error>

namespace dirql {

Host::Host() : impl_(std::make_unique<api::HostImpl>()) {}
Host::~Host() = default;

namespace api {
namespace {

// Address space is the process's: another Host may have a slot already.
std::unique_ptr<ke::Slot> make_slot(std::size_t physical_memory) {
    for (unsigned index = 0; index < ke::max_slots; ++index) {
        try {
            return std::make_unique<ke::Slot>(index, physical_memory);
        } catch (const std::system_error& error) {
            if (error.code() != std::errc::file_exists) throw;
        }
    }
    throw std::system_error(ENOMEM, std::generic_category(),
                            fmt::format("all {} slots for machines are taken", ke::max_slots));
}

} // namespace

ke::Slot* HostImpl::take_slot(std::size_t physical_memory) {
    const std::size_t pages = ke::pages_for(std::min(physical_memory, ke::max_physical_memory));
    const std::lock_guard lock(mutex_);
    for (OwnedSlot& owned : slots_) {
        if (owned.busy || owned.slot->physical_pages() != pages || owned.slot->in_forked_child()) continue;
        owned.busy = true;
        return owned.slot.get();
    }
    slots_.push_back({make_slot(physical_memory), true});
    return slots_.back().slot.get();
}

void HostImpl::give_slot(ke::Slot* slot) {
    if (!slot->in_forked_child()) slot->reset();
    const std::lock_guard lock(mutex_);
    for (OwnedSlot& owned : slots_) {
        if (owned.slot.get() == slot) owned.busy = false;
    }
}

Result<std::shared_ptr<const ldr::ImageTemplate>> HostImpl::plug_in(const std::filesystem::path& path) {
    struct stat info {};
    if (stat(path.c_str(), &info) != 0) {
        return Error{ErrorCode::bad_image, fmt::format("{}: {}", path.string(), std::strerror(errno))};
    }
    const std::int64_t modified = std::int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec;
    const std::lock_guard lock(mutex_);
    for (const CachedPlugIn& cached : plug_ins_) {
        const bool same = cached.path == path && cached.device == info.st_dev && cached.inode == info.st_ino &&
                          cached.modified_ns == modified && cached.size == info.st_size;
        if (same) return cached.image;
    }
    auto loaded = ldr::ImageTemplate::load(path.string(), ldr::kernel_exports());
    if (!loaded) return loaded.error();
    std::erase_if(plug_ins_, [&](const CachedPlugIn& cached) { return cached.path == path; });
    plug_ins_.push_back({path, info.st_dev, info.st_ino, modified, info.st_size, loaded.value()});
    return loaded.value();
}

} // namespace api
} // namespace dirql
