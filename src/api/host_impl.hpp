// The Host's inside: slots and plug-in templates.
#pragma once

#include "ke/slot.hpp"
#include "ldr/elf_image.hpp"

#include <dirql/result.hpp>

#include <filesystem>
#include <memory>
#include <mutex>
#include <vector>

namespace dirql::api {

class HostImpl {
public:
    // An empty slot with this much memory; throws where none can be made.
    [[nodiscard]] ke::Slot* take_slot(std::size_t physical_memory);
    // The slot is reset here, so that a machine's end costs what its use cost.
    void give_slot(ke::Slot* slot);

    // The plug-in, read again only when the file has changed.
    [[nodiscard]] Result<std::shared_ptr<const ldr::ImageTemplate>> plug_in(const std::filesystem::path& path);

private:
    struct OwnedSlot {
        std::unique_ptr<ke::Slot> slot;
        bool busy;
    };
    struct CachedPlugIn {
        std::filesystem::path path;
        std::uint64_t device;
        std::uint64_t inode;
        std::int64_t modified_ns;
        std::int64_t size;
        std::shared_ptr<const ldr::ImageTemplate> image;
    };

    std::mutex mutex_;
    std::vector<OwnedSlot> slots_;
    std::vector<CachedPlugIn> plug_ins_;
};

} // namespace dirql::api
