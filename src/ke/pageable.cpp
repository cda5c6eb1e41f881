#include "ke/pageable.hpp"

#include "ke/host_section.hpp"
#include "ke/machine.hpp"

#include <algorithm>
#include <bit>
#include <sys/mman.h>

namespace dirql::ke {
namespace {

constexpr unsigned bits = 64;
constexpr Pfn cluster = 16; // as many pages come in with one fault, as a page-file read of NT brings its neighbours

std::size_t words_for(const Machine& machine) noexcept { return (machine.slot->physical_pages() + bits - 1) / bits; }

bool test(const std::uint64_t* map, Pfn frame) noexcept { return (map[frame / bits] >> (frame % bits) & 1) != 0; }
void set(std::uint64_t* map, Pfn frame) noexcept { map[frame / bits] |= std::uint64_t{1} << (frame % bits); }
void clear(std::uint64_t* map, Pfn frame) noexcept { map[frame / bits] &= ~(std::uint64_t{1} << (frame % bits)); }

bool make_maps(Machine& machine) noexcept {
    Pageable& state = machine.pageable;
    if (state.pages != nullptr) return true;
    const std::size_t words = words_for(machine);
    auto* map = static_cast<std::uint64_t*>(machine.allocate(2 * words * sizeof(std::uint64_t)));
    if (map == nullptr) return false;
    state.pages = map;
    state.resident = map + words;
    state.low = static_cast<Pfn>(machine.slot->physical_pages());
    state.high = 0;
    return true;
}

bool is_trimmed(const Pageable& state, Pfn frame) noexcept {
    return test(state.pages, frame) && !test(state.resident, frame);
}

// Where raise_irql() looks.
void tell_processors(Machine& machine) noexcept {
    const bool any = machine.pageable.watched && machine.pageable.resident_count != 0;
    for (unsigned i = 0; i < machine.processor_count; ++i) machine.processors[i]->pages_to_trim = any;
}

// Makes the trimmed pages of a run accessible, whole stretches with one call of the host.
void page_in(Machine& machine, Pfn first, Pfn end) noexcept {
    Pageable& state = machine.pageable;
    for (Pfn frame = first; frame < end;) {
        Pfn run = frame;
        while (run < end && is_trimmed(state, run)) set(state.resident, run++);
        if (run != frame) {
            machine.slot->protect(machine.slot->address_of_frame(frame), run - frame, PROT_READ | PROT_WRITE);
            state.resident_count += run - frame;
        }
        frame = run + 1;
    }
}

Pfn frame_at(const Machine& machine, std::uint64_t address) noexcept {
    const std::uint64_t offset = address - reinterpret_cast<std::uint64_t>(machine.slot->system_base());
    return offset < machine.slot->physical_pages() * page_size ? static_cast<Pfn>(offset >> page_shift) : no_frame;
}

bool may_be_trimmed(const Machine& machine, Pfn frame) noexcept {
    return test(machine.pageable.resident, frame) && machine.slot->frame_locks(frame) == 0;
}

// Trims the run of resident pages that begins at this frame. Its end.
Pfn trim_run(Machine& machine, Pfn first) noexcept {
    Pageable& state = machine.pageable;
    Pfn end = first;
    while (end < state.high && may_be_trimmed(machine, end)) ++end;
    // The host allows so many mappings and no more: what it refuses stays accessible.
    if (!machine.slot->protect(machine.slot->address_of_frame(first), end - first, PROT_NONE)) return end;
    for (Pfn frame = first; frame < end; ++frame) clear(state.resident, frame);
    state.resident_count -= end - first;
    return end;
}

} // namespace

void make_pageable(Machine& machine, const void* first, std::size_t pages) noexcept {
    if (!machine.options.force_irql_checking || !make_maps(machine)) return;
    Pageable& state = machine.pageable;
    const Pfn begin = machine.slot->frame_of(first);
    const Pfn end = begin + static_cast<Pfn>(pages);
    for (Pfn frame = begin; frame < end; ++frame) {
        if (test(state.pages, frame)) continue;
        set(state.pages, frame);
        set(state.resident, frame);
        ++state.page_count;
        ++state.resident_count;
    }
    state.low = std::min(state.low, begin);
    state.high = std::max(state.high, end);
    tell_processors(machine);
}

void make_nonpageable(Machine& machine, const void* first, std::size_t pages) noexcept {
    Pageable& state = machine.pageable;
    if (state.page_count == 0) return;
    const Pfn begin = machine.slot->frame_of(first);
    const Pfn end = begin + static_cast<Pfn>(pages);
    page_in(machine, begin, end);
    for (Pfn frame = begin; frame < end; ++frame) {
        if (!test(state.pages, frame)) continue;
        clear(state.pages, frame);
        clear(state.resident, frame);
        --state.page_count;
        --state.resident_count;
    }
    tell_processors(machine);
}

bool is_pageable(const Machine& machine, const void* address) noexcept {
    if (machine.pageable.page_count == 0) return false;
    const Pfn frame = frame_at(machine, reinterpret_cast<std::uint64_t>(address));
    return frame != no_frame && test(machine.pageable.pages, frame);
}

void keep_paged_in(Machine& machine, Pfn frame) noexcept {
    const Pageable& state = machine.pageable;
    if (state.page_count == 0 || !test(state.pages, frame)) return;
    page_in(machine, frame, frame + 1);
    tell_processors(machine);
}

void let_be_trimmed(Machine& machine) noexcept {
    if (machine.pageable.page_count != 0) tell_processors(machine);
}

void trim_pageable(Machine& machine) noexcept {
    Pageable& state = machine.pageable;
    for (Pfn frame = state.low; frame < state.high;) {
        if (state.resident[frame / bits] == 0) {
            frame = (frame / bits + 1) * bits;
        } else {
            frame = may_be_trimmed(machine, frame) ? trim_run(machine, frame) : frame + 1;
        }
    }
    // What stays is locked, or the host refused: nobody asks again before another page is touched.
    for (unsigned i = 0; i < machine.processor_count; ++i) machine.processors[i]->pages_to_trim = 0;
}

bool page_in_on_fault(Processor& processor, std::uint64_t address) noexcept {
    Machine& machine = *processor.machine;
    Pageable& state = machine.pageable;
    if (state.page_count == 0) return false;
    const Pfn frame = frame_at(machine, address);
    if (frame == no_frame || !is_trimmed(state, frame)) return false;
    const bool allowed =
        processor.irql < DISPATCH_LEVEL || state.looks != 0 || HostSection::active() || machine.stopping;
    if (!allowed) return false;
    Pfn first = frame;
    while (first % cluster != 0 && is_trimmed(state, first - 1)) --first;
    Pfn end = frame + 1;
    while (end % cluster != 0 && end < state.high && is_trimmed(state, end)) ++end;
    page_in(machine, first, end);
    tell_processors(machine);
    return true;
}

void watch_pageable(Machine& machine) noexcept {
    machine.pageable.watched = machine.options.force_irql_checking;
    if (machine.pageable.page_count != 0) tell_processors(machine);
}

void settle_pageable(Machine& machine) noexcept {
    Pageable& state = machine.pageable;
    state.watched = false;
    if (state.page_count == 0) return;
    page_in(machine, state.low, state.high);
    tell_processors(machine);
}

PageableLook::PageableLook() noexcept
    : machine_(current_processor() == nullptr ? nullptr : current_processor()->machine) {
    if (machine_ != nullptr) ++machine_->pageable.looks;
}

// What was paged in for the look is not left to the code that runs at raised IRQL.
PageableLook::~PageableLook() {
    if (machine_ == nullptr || --machine_->pageable.looks != 0) return;
    const Processor& processor = *current_processor();
    if (processor.pages_to_trim != 0 && processor.irql >= DISPATCH_LEVEL) trim_pageable(*machine_);
}

} // namespace dirql::ke
