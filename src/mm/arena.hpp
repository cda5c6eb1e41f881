// A process's arena: its stretch of the user half, where its heap, its stacks and what drivers map for it live.
//
// Process i of a machine gets user_base + i * arena_size. What is known of the arena's pages is kept in the system
// half, so that an application can damage its own data only. A page is
//
//   hole       nothing is mapped: touching it faults
//   free       backed by a frame, and not in use
//   small      cut into blocks of one power of two
//   run        the first page of an allocation of whole pages; `rest` are its others
//   guard      kept a hole, below a stack
//   view       frames that belong to somebody else, mapped for the process by a driver, or of a section
//   reserved, committed   of a region, see region.hpp
#pragma once

#include "ke/machine.hpp"
#include "ke/thread.hpp"
#include "ke/user_memory.hpp"

#include <ntifs.h>

#include <cstddef>
#include <cstdint>

namespace dirql::mm {

inline constexpr std::size_t arena_size = std::size_t{64} << 20;
inline constexpr unsigned max_arenas = static_cast<unsigned>(ke::slot_size / arena_size);

// Gives a process its arena and sets Process::arena. False when there are max_arenas processes, or memory is short.
[[nodiscard]] bool create_arena(ke::Machine& machine, ke::Process& process) noexcept;
// The process has ended: its memory goes back. Bug check 0x76 when pages of it are still locked.
void destroy_arena(ke::Machine& machine, ke::Process& process) noexcept;

// Memory of the process, not initialised. `align` is a power of two, at most PAGE_SIZE. Null when memory or the arena
// is exhausted. From the process's own threads, on either side, or the kernel.
[[nodiscard]] void* allocate_user(ke::Process& process, std::size_t bytes, std::size_t align = 16) noexcept;
// False when it is no such memory.
bool free_user(ke::Process& process, void* memory) noexcept;

// A stack with a guard page below it.
[[nodiscard]] bool allocate_user_stack(ke::Process& process, std::size_t bytes, std::byte*& low,
                                       std::byte*& top) noexcept;
void free_user_stack(ke::Process& process, std::byte* low) noexcept;

enum class PageState : std::uint8_t { hole, free, small, run, rest, guard, view, reserved, committed };

struct ArenaPage {
    std::uint64_t used; // small: bit n, block n is allocated; of a region: its protection, see region.cpp
    std::uint32_t run;  // run, view: pages of the allocation
    PageState state;
    std::uint8_t shift; // small: log2 of the block size
};

struct Arena {
    static constexpr std::size_t usable =
        arena_size - ke::probe_gap; // the last arena there may be ends where the gap begins
    static constexpr std::uint32_t page_count = usable / ke::page_size;
    static constexpr std::uint32_t leaf_pages = 256;

    ke::Slot* slot;
    ke::Process* process;
    std::byte* base;
    std::uint32_t top;            // no page from here on was ever used
    std::uint32_t first_free;     // no page below is free
    std::uint32_t small_hint[12]; // by shift: a page that had room last; page_count: none
    std::size_t locked_pages;     // by MDLs
    LIST_ENTRY regions;           // see region.hpp
    LIST_ENTRY secures;
    ArenaPage* leaves[page_count / leaf_pages + 1];

    [[nodiscard]] std::byte* address_of(std::uint32_t page) const noexcept {
        return base + std::size_t{page} * ke::page_size;
    }
    [[nodiscard]] bool holds(const void* address) const noexcept {
        return static_cast<std::size_t>(static_cast<const std::byte*>(address) - base) < arena_size;
    }
    [[nodiscard]] std::uint32_t page_of(const void* address) const noexcept {
        return static_cast<std::uint32_t>((static_cast<const std::byte*>(address) - base) /
                                          static_cast<std::ptrdiff_t>(ke::page_size));
    }
    // Null for a page that was never used.
    [[nodiscard]] ArenaPage* find(std::uint32_t page) const noexcept {
        ArenaPage* leaf = leaves[page / leaf_pages];
        return leaf == nullptr ? nullptr : &leaf[page % leaf_pages];
    }
};

// The arena that an address of the user half belongs to, or null.
[[nodiscard]] Arena* arena_at(const void* address) noexcept;
[[nodiscard]] Arena* arena_of(const ke::Process& process) noexcept;

// For regions: are these pages holes? They are of this state from now on; false, with nothing changed, when memory is short.
[[nodiscard]] bool all_holes(const Arena& arena, std::uint32_t first, std::uint32_t count) noexcept;
[[nodiscard]] bool mark_pages(Arena& arena, std::uint32_t first, std::uint32_t count, PageState state) noexcept;

// Unmapped pages for somebody's frames, which the caller then maps with Slot::map_frames. Null when there is no room.
[[nodiscard]] std::byte* reserve_view(Arena& arena, std::size_t count, const void* at = nullptr) noexcept;
// Unmaps it. False when there is no view at this address.
bool release_view(Arena& arena, std::byte* first) noexcept;

} // namespace dirql::mm
