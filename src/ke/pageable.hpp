// Pageable memory that is felt: Driver Verifier's "force IRQL checking".
//
// Nothing is ever written to a paging file, but a driver can tell what is pageable all the same. Whenever the IRQL rises to
// DISPATCH_LEVEL, the pageable pages that were touched since the last time are trimmed: their protection goes to none. A
// touch below DISPATCH_LEVEL pages them in again, a few neighbours at a time, and the driver notices nothing; a touch at
// DISPATCH_LEVEL or above is bug check 0xD1 (in a driver) or 0xA (in the kernel, on its behalf). It costs no virtual time.
//
// Which pages: those behind paged pool that drivers have allocated. Pages locked by an MDL stay.
//
// The cost is one predictable branch where the IRQL rises, unless a page was touched since.
#pragma once

#include "ke/processor.hpp"
#include "ke/slot.hpp"

#include <cstddef>
#include <cstdint>

namespace dirql::ke {

struct Machine;

// One bit a frame of the machine. In zeroed memory; what it points at is made with the first pageable page.
struct Pageable {
    std::uint64_t* pages;    // pageable
    std::uint64_t* resident; // and accessible at this moment
    Pfn low, high;           // no pageable page outside of [low, high)
    std::uint32_t page_count;
    std::uint32_t resident_count;
    std::uint32_t looks; // PageableLooks that live
    bool watched;        // inside a run: faults come to the trap door
};

// These pages of the direct map are pageable from now on, or are so no more. Any IRQL; twice is once.
void make_pageable(Machine& machine, const void* first, std::size_t pages) noexcept;
void make_nonpageable(Machine& machine, const void* first, std::size_t pages) noexcept;
[[nodiscard]] bool is_pageable(const Machine& machine, const void* address) noexcept;

// A frame has been locked (Slot::lock_frame): its page is paged in, if it is pageable, and stays. Its last lock has gone: it may be
// trimmed again.
void keep_paged_in(Machine& machine, Pfn frame) noexcept;
void let_be_trimmed(Machine& machine) noexcept;

[[gnu::cold, gnu::noinline]] void trim_pageable(Machine& machine) noexcept;

// The trap door's: true when the fault was that of a trimmed page, which is there again; the instruction goes on.
[[nodiscard]] bool page_in_on_fault(Processor& processor, std::uint64_t address) noexcept;

// A run begins: pages may be trimmed. It ends, or the machine stops: all are there, for code that no trap door covers.
void watch_pageable(Machine& machine) noexcept;
void settle_pageable(Machine& machine) noexcept;

// Kernel code that looks into pageable memory at any IRQL on nobody's behalf: searches of the pool, diagnoses.
class PageableLook {
public:
    PageableLook() noexcept;
    ~PageableLook();
    PageableLook(const PageableLook&) = delete;
    PageableLook& operator=(const PageableLook&) = delete;

private:
    Machine* machine_; // null outside of a machine
};

} // namespace dirql::ke
