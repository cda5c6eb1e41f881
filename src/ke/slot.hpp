// A slot: the address space of one machine, made once and used by one machine after another.
//
// Physical memory is a memfd, mapped in full at the start of the slot's system half (the direct map), so a frame number and
// a system address convert by arithmetic. Pages are handed out from low addresses upwards; reset() clears what was ever
// handed out, so the next machine sees memory as after power-on, and the same addresses as any other machine in this slot.
#pragma once

#include "ke/address_space.hpp"

#include <bitset>
#include <cstdint>
#include <memory>
#include <span>
#include <sys/types.h>
#include <vector>

namespace dirql::ke {

using Pfn = std::uint32_t;
inline constexpr Pfn no_frame = ~Pfn{0};

class Slot {
public:
    // Throws std::system_error when the host refuses the memory.
    Slot(unsigned index, std::size_t physical_memory);
    ~Slot();
    Slot(const Slot&) = delete;
    Slot& operator=(const Slot&) = delete;

    // This process has been forked from the one that made the slot: it has the object, and not the memory.
    [[nodiscard]] bool in_forked_child() const noexcept;

    [[nodiscard]] unsigned index() const noexcept { return index_; }
    [[nodiscard]] std::byte* system_base() const noexcept { return system_base_; }
    [[nodiscard]] std::byte* user_base() const noexcept { return user_base_; }
    [[nodiscard]] std::size_t physical_pages() const noexcept { return physical_pages_; }

    // Contiguous pages of the direct map, zeroed only if never used since reset. Null when physical memory is exhausted.
    [[nodiscard]] std::byte* allocate_pages(std::size_t count) noexcept;
    // The same of the frames [low, end) alone, with the first a multiple of `align`, and not across a multiple of `boundary`
    // (both powers of two; boundary 0: none).
    struct FrameRange {
        std::uint64_t low = 0;
        std::uint64_t end = ~std::uint64_t{0};
        std::uint64_t align = 1;
        std::uint64_t boundary = 0;
    };
    [[nodiscard]] std::byte* allocate_pages_in(std::size_t count, const FrameRange& range) noexcept;
    // Those of them that are locked are handed out again when they have been unlocked.
    void free_pages(void* address, std::size_t count) noexcept;
    [[nodiscard]] std::size_t free_page_count() const noexcept { return free_pages_; }

    // Locks on a frame, as the reference counts of NT's page frame database: while it has one, its memory stays as it is,
    // whoever owned it. unlock_frame() is false when it has none.
    void lock_frame(Pfn frame) noexcept { frames_locked_ += frame_locks_[frame]++ == 0; }
    [[nodiscard]] bool unlock_frame(Pfn frame) noexcept;
    [[nodiscard]] std::uint32_t frame_locks(Pfn frame) const noexcept { return frame_locks_[frame] & ~released_mark; }

    // Changes the protection of pages of the direct map (guard pages, images); reset() undoes it. Of mapped pages of the user
    // half and of views, too, until they are unmapped. False when the host refuses.
    bool protect(void* address, std::size_t count, int protection) noexcept;

    // Maps frames [first, first + count) at a user-half or view address of this slot.
    [[nodiscard]] bool map_frames(std::byte* address, Pfn first, std::size_t count, bool writable = true) noexcept;
    void unmap(std::byte* address, std::size_t count) noexcept;

    // A run of view addresses, not yet mapped. Null when the view range is full.
    [[nodiscard]] std::byte* reserve_views(std::size_t count) noexcept;
    // The first `count` pages of the view that begins here, or all of them; the rest is a view then. The caller knows of
    // view_pages() that it has as many.
    void release_views(std::byte* address, std::size_t count) noexcept;
    // How many pages the view has that begins at this address of the view range; 0: none begins there.
    [[nodiscard]] std::size_t view_pages(const std::byte* address) const noexcept {
        return view_lengths_[view(address)];
    }

    // The frame behind an address of this slot, or no_frame where nothing is mapped.
    [[nodiscard]] Pfn frame_of(const void* address) const noexcept;
    [[nodiscard]] std::byte* address_of_frame(Pfn frame) const noexcept {
        return system_base_ + (std::size_t{frame} << page_shift);
    }

    [[nodiscard]] bool in_system_half(const void* address) const noexcept {
        return static_cast<std::size_t>(static_cast<const std::byte*>(address) - system_base_) < slot_size;
    }
    [[nodiscard]] bool in_user_half(const void* address) const noexcept {
        return static_cast<std::size_t>(static_cast<const std::byte*>(address) - user_base_) < slot_size;
    }

    // Power off: every page free and zero, every mapping and protection as at first.
    void reset() noexcept;

    // Called once, before the memory goes: by reset() or the destructor. For what a sanitizer keeps outside of the slot.
    void before_power_off(void (*function)(void*), void* context) noexcept {
        power_off_ = function;
        power_off_context_ = context;
    }

private:
    // Which pages of a range are taken; finds the lowest free run.
    class Bitmap {
    public:
        explicit Bitmap(std::size_t pages) : words_((pages + 63) / 64), pages_(pages) {}
        [[nodiscard]] std::size_t take(std::size_t count) noexcept;
        [[nodiscard]] std::size_t take_in(std::size_t count, const FrameRange& range) noexcept;
        void give(std::size_t first, std::size_t count) noexcept;
        void clear() noexcept;
        [[nodiscard]] std::size_t high_water() const noexcept { return high_water_; }
        static constexpr std::size_t none = ~std::size_t{0};

    private:
        void mark_taken(std::size_t first, std::size_t count) noexcept;
        [[nodiscard]] bool taken(std::size_t page) const noexcept { return (words_[page / 64] >> (page % 64)) & 1; }
        std::vector<std::uint64_t> words_;
        std::size_t pages_;
        std::size_t first_free_ = 0;
        std::size_t high_water_ = 0;
    };

    [[nodiscard]] std::size_t view(const std::byte* address) const noexcept {
        return static_cast<std::size_t>(address - system_base_ - views_offset) >> page_shift;
    }
    // In frame_locks_: the owner has given the frame back.
    static constexpr std::uint32_t released_mark = std::uint32_t{1} << 31;
    void give(std::size_t first, std::size_t count) noexcept;
    [[gnu::cold, gnu::noinline]] void free_unlocked(std::size_t first, std::size_t count) noexcept;
    // Nothing runs in the slot any more.
    void forget_flows() noexcept;

    unsigned index_;
    pid_t owner_;
    int memory_fd_ = -1;
    std::size_t physical_pages_;
    std::size_t free_pages_;
    std::byte* system_base_;
    std::byte* user_base_;
    Bitmap physical_;
    Bitmap views_;
    Pfn* user_frames_ = nullptr;           // one entry a page of the user half, frame + 1
    Pfn* view_frames_ = nullptr;           // likewise for the view range
    Pfn* view_lengths_ = nullptr;          // at the first page of each view: its pages
    std::uint32_t* frame_locks_ = nullptr; // one entry a frame
    std::size_t frames_locked_ = 0;        // that have locks
    std::size_t user_pages_used_ = 0;
    bool protections_changed_ = false;
    void (*power_off_)(void*) = nullptr;
    void* power_off_context_ = nullptr;
};

} // namespace dirql::ke
