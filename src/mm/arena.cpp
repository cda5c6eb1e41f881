#include "mm/arena.hpp"

#include "ex/pool.hpp"
#include "ke/sanitizer.hpp"
#include "ke/stop.hpp"
#include "mm/region.hpp"
#include "mm/state.hpp"

#include <algorithm>
#include <bit>

namespace dirql::mm {
namespace {

constexpr ULONG arena_tag = ex::pool_tag("MmAr");
constexpr std::uint32_t no_page = Arena::page_count;
constexpr std::uint32_t chunk_pages = 16; // frames are taken in runs of this, so that buffers are contiguous

// The page's entry, made when it is the first of its leaf.
ArenaPage* entry_of(Arena& arena, std::uint32_t page) noexcept {
    ArenaPage*& leaf = arena.leaves[page / Arena::leaf_pages];
    if (leaf == nullptr) {
        leaf = static_cast<ArenaPage*>(
            ex::allocate_pool(NonPagedPoolNx, Arena::leaf_pages * sizeof(ArenaPage), arena_tag, ex::Fill::zero));
        if (leaf == nullptr) return nullptr;
    }
    return &leaf[page % Arena::leaf_pages];
}

PageState state_of_page(const Arena& arena, std::uint32_t page) noexcept {
    const ArenaPage* entry = arena.find(page);
    return entry == nullptr ? PageState::hole : entry->state;
}

// Marks a run that starts as `head`. False when memory for the entries is short; then nothing has changed.
bool mark(Arena& arena, std::uint32_t first, std::uint32_t count, PageState head, PageState others) noexcept {
    for (std::uint32_t page = first; page < first + count; page += Arena::leaf_pages - page % Arena::leaf_pages) {
        if (entry_of(arena, page) == nullptr) return false;
    }
    for (std::uint32_t i = 0; i < count; ++i)
        *arena.find(first + i) = {0, i == 0 ? count : 0, i == 0 ? head : others, 0};
    arena.top = std::max(arena.top, first + count);
    return true;
}

// The lowest run of pages in one state. Everything from `top` on is holes.
std::uint32_t find_run(const Arena& arena, PageState state, std::uint32_t count) noexcept {
    std::uint32_t run = 0;
    const std::uint32_t end = state == PageState::hole ? Arena::page_count : arena.top;
    for (std::uint32_t page = state == PageState::free ? arena.first_free : 0; page < end; ++page) {
        if (state == PageState::hole && page >= arena.top) return page - run + count <= end ? page - run : no_page;
        run = state_of_page(arena, page) == state ? run + 1 : 0;
        if (run == count) return page + 1 - count;
    }
    return no_page;
}

// Puts frames behind holes and marks them free.
bool back(Arena& arena, std::uint32_t first, std::uint32_t count) noexcept {
    if (ke::current_machine().choice.allocation_fails()) return false;
    std::byte* frames = arena.slot->allocate_pages(count);
    if (frames == nullptr) return false;
    if (mark(arena, first, count, PageState::free, PageState::free) &&
        arena.slot->map_frames(arena.address_of(first), arena.slot->frame_of(frames), count)) {
        arena.first_free = std::min(arena.first_free, first);
        return true;
    }
    mark(arena, first, count, PageState::hole, PageState::hole);
    arena.slot->free_pages(frames, count);
    return false;
}

std::uint32_t back_new_run(Arena& arena, std::uint32_t count) noexcept {
    for (const std::uint32_t pages : {std::max(count, chunk_pages), count}) {
        const std::uint32_t first = find_run(arena, PageState::hole, pages);
        if (first != no_page && back(arena, first, pages)) return first;
    }
    return no_page;
}

// A run of backed pages, marked.
std::uint32_t take_run(Arena& arena, std::uint32_t count) noexcept {
    std::uint32_t first = find_run(arena, PageState::free, count);
    if (first == no_page) first = back_new_run(arena, count);
    if (first == no_page) return no_page;
    (void)mark(arena, first, count, PageState::run, PageState::rest);
    if (first == arena.first_free) arena.first_free = first + count;
    return first;
}

void set_free(Arena& arena, std::uint32_t first, std::uint32_t count) noexcept {
    (void)mark(arena, first, count, PageState::free, PageState::free);
    arena.first_free = std::min(arena.first_free, first);
}

std::uint64_t all_blocks(unsigned shift) noexcept {
    const unsigned count = static_cast<unsigned>(ke::page_size >> shift);
    return count == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << count) - 1;
}

bool has_room(const Arena& arena, std::uint32_t page, unsigned shift) noexcept {
    const ArenaPage* entry = page < no_page ? arena.find(page) : nullptr;
    return entry != nullptr && entry->state == PageState::small && entry->shift == shift &&
           entry->used != all_blocks(shift);
}

std::uint32_t find_small_page(Arena& arena, unsigned shift) noexcept {
    if (has_room(arena, arena.small_hint[shift], shift)) return arena.small_hint[shift];
    for (std::uint32_t page = 0; page < arena.top; ++page) {
        if (has_room(arena, page, shift)) return page;
    }
    const std::uint32_t page = take_run(arena, 1);
    if (page != no_page) *arena.find(page) = {0, 1, PageState::small, static_cast<std::uint8_t>(shift)};
    return page;
}

void* allocate_small(Arena& arena, unsigned shift) noexcept {
    const std::uint32_t page = find_small_page(arena, shift);
    if (page == no_page) return nullptr;
    arena.small_hint[shift] = page;
    std::uint64_t& used = arena.find(page)->used;
    const int block = std::countr_one(used);
    used |= std::uint64_t{1} << block;
    return arena.address_of(page) + (static_cast<std::size_t>(block) << shift);
}

bool free_small(Arena& arena, std::uint32_t page, ArenaPage& entry, const void* memory) noexcept {
    const auto offset = static_cast<std::size_t>(static_cast<const std::byte*>(memory) - arena.address_of(page));
    const std::uint64_t bit = std::uint64_t{1} << (offset >> entry.shift);
    if (offset % (std::size_t{1} << entry.shift) != 0 || (entry.used & bit) == 0) return false;
    entry.used &= ~bit;
    std::uint32_t& hint = arena.small_hint[entry.shift];
    if (!has_room(arena, hint, entry.shift)) hint = page;
    return true;
}

// Back to the machine, so that touching them faults.
void release_pages(Arena& arena, std::uint32_t page) noexcept {
    const std::uint32_t count = arena.find(page)->run;
    for (std::uint32_t i = 0; i < count; ++i) {
        arena.slot->free_pages(arena.slot->address_of_frame(arena.slot->frame_of(arena.address_of(page + i))), 1);
    }
    arena.slot->unmap(arena.address_of(page), count);
    (void)mark(arena, page, count, PageState::hole, PageState::hole);
}

unsigned free_index(const State& state) noexcept {
    unsigned index = 0;
    while (index < max_arenas && state.arenas[index] != nullptr) ++index;
    return index;
}

// Whole runs of backed pages, back to the machine.
void free_all_frames(Arena& arena) noexcept {
    for (std::uint32_t page = 0; page < arena.top; ++page) {
        const PageState state = state_of_page(arena, page);
        if (state == PageState::hole || state == PageState::guard || state == PageState::view) continue;
        const ke::Pfn frame = arena.slot->frame_of(arena.address_of(page));
        if (frame != ke::no_frame) arena.slot->free_pages(arena.slot->address_of_frame(frame), 1);
    }
    if (arena.top == 0) return;
    ke::sanitizer::forget_stack(arena.base, arena.address_of(arena.top));
    arena.slot->unmap(arena.base, arena.top);
}

} // namespace

bool create_arena(ke::Machine& machine, ke::Process& process) noexcept {
    State& state = state_of(machine);
    const unsigned index = free_index(state);
    if (index == max_arenas) return false;
    auto* arena = static_cast<Arena*>(ex::allocate_pool(NonPagedPoolNx, sizeof(Arena), arena_tag, ex::Fill::zero));
    if (arena == nullptr) return false;
    arena->slot = machine.slot;
    arena->process = &process;
    arena->base = machine.slot->user_base() + index * arena_size;
    InitializeListHead(&arena->regions);
    InitializeListHead(&arena->secures);
    std::fill(std::begin(arena->small_hint), std::end(arena->small_hint), no_page);
    state.arenas[index] = arena;
    process.arena = arena->base;
    process.arena_size = arena_size;
    return true;
}

void destroy_arena(ke::Machine& machine, ke::Process& process) noexcept {
    Arena* arena = arena_of(process);
    if (arena == nullptr) return;
    if (arena->locked_pages != 0) {
        ke::bug_check(PROCESS_HAS_LOCKED_PAGES, 0, ke::parameter(&process), arena->locked_pages, 0,
                      {.rule = "a process ended while a driver held pages of it locked",
                       .document = "Bug Check 0x76: PROCESS_HAS_LOCKED_PAGES"});
    }
    release_all_regions(*arena);
    free_all_frames(*arena);
    for (ArenaPage* leaf : arena->leaves) {
        if (leaf != nullptr) ex::free_pool(leaf, arena_tag);
    }
    state_of(machine).arenas[static_cast<std::size_t>(arena->base - machine.slot->user_base()) / arena_size] = nullptr;
    ex::free_pool(arena, arena_tag);
    process.arena = nullptr;
    process.arena_size = 0;
}

Arena* arena_at(const void* address) noexcept {
    const State& state = current_state();
    if (!state.slot->in_user_half(address)) return nullptr;
    return state.arenas[static_cast<std::size_t>(static_cast<const std::byte*>(address) - state.slot->user_base()) /
                        arena_size];
}

Arena* arena_of(const ke::Process& process) noexcept {
    return process.arena == nullptr ? nullptr : arena_at(process.arena);
}

void* allocate_user(ke::Process& process, std::size_t bytes, std::size_t align) noexcept {
    Arena* arena = arena_of(process);
    if (arena == nullptr || bytes > Arena::usable) return nullptr;
    const std::size_t block =
        std::bit_ceil(std::max({bytes, align, std::size_t{64}})); // 64: a page has as many blocks as `used` has bits
    if (block <= ke::page_size / 2) return allocate_small(*arena, static_cast<unsigned>(std::countr_zero(block)));
    const std::uint32_t page =
        take_run(*arena, static_cast<std::uint32_t>(ke::pages_for(std::max<std::size_t>(bytes, 1))));
    return page == no_page ? nullptr : arena->address_of(page);
}

bool free_user(ke::Process& process, void* memory) noexcept {
    Arena* arena = arena_of(process);
    if (arena == nullptr || !arena->holds(memory)) return false;
    const std::uint32_t page = arena->page_of(memory);
    ArenaPage* entry = arena->find(page);
    if (entry == nullptr) return false;
    if (entry->state == PageState::small) {
        if (!free_small(*arena, page, *entry, memory)) return false;
        // The page that the next allocation looks at first is kept, or a lone block would make and unmake its page each
        // time.
        if (entry->used == 0 && arena->small_hint[entry->shift] != page) set_free(*arena, page, 1);
        return true;
    }
    if (entry->state != PageState::run || arena->address_of(page) != memory) return false;
    set_free(*arena, page, entry->run);
    return true;
}

bool allocate_user_stack(ke::Process& process, std::size_t bytes, std::byte*& low, std::byte*& top) noexcept {
    Arena* arena = arena_of(process);
    const auto pages = static_cast<std::uint32_t>(ke::pages_for(bytes));
    if (arena == nullptr || pages == 0 || pages >= Arena::page_count) return false;
    const std::uint32_t guard = find_run(*arena, PageState::hole, pages + 1);
    if (guard == no_page || !back(*arena, guard + 1, pages)) return false;
    if (!mark(*arena, guard, 1, PageState::guard, PageState::guard)) {
        return false; // the pages stay free ones
    }
    (void)mark(*arena, guard + 1, pages, PageState::run, PageState::rest);
    low = arena->address_of(guard + 1);
    top = low + std::size_t{pages} * ke::page_size;
    return true;
}

void free_user_stack(ke::Process& process, std::byte* low) noexcept {
    Arena* arena = arena_of(process);
    if (arena == nullptr) return;
    const std::uint32_t page = arena->page_of(low);
    ke::sanitizer::forget_stack(low, low + std::size_t{arena->find(page)->run} * ke::page_size);
    (void)mark(*arena, page - 1, 1, PageState::hole, PageState::hole);
    release_pages(*arena, page);
}

bool all_holes(const Arena& arena, std::uint32_t first, std::uint32_t count) noexcept {
    if (count > Arena::page_count || first > Arena::page_count - count) return false;
    for (std::uint32_t page = first; page < first + count; ++page) {
        if (state_of_page(arena, page) != PageState::hole) return false;
    }
    return true;
}

bool mark_pages(Arena& arena, std::uint32_t first, std::uint32_t count, PageState state) noexcept {
    if (!mark(arena, first, count, state, state)) return false;
    arena.find(first)->run = 0; // no view that release_view() knows
    return true;
}

std::byte* reserve_view(Arena& arena, std::size_t count, const void* at) noexcept {
    if (count == 0 || count > Arena::page_count) return nullptr;
    const auto pages = static_cast<std::uint32_t>(count);
    const std::uint32_t first = at == nullptr ? find_run(arena, PageState::hole, pages) : arena.page_of(at);
    if (first == no_page || !all_holes(arena, first, pages)) return nullptr;
    return mark(arena, first, pages, PageState::view, PageState::view) ? arena.address_of(first) : nullptr;
}

bool release_view(Arena& arena, std::byte* first) noexcept {
    if (!arena.holds(first)) return false;
    const std::uint32_t page = arena.page_of(first);
    ArenaPage* entry = arena.find(page);
    if (entry == nullptr || entry->state != PageState::view || entry->run == 0 || arena.address_of(page) != first)
        return false;
    const std::uint32_t count = entry->run;
    arena.slot->unmap(first, count);
    return mark(arena, page, count, PageState::hole, PageState::hole);
}

} // namespace dirql::mm
