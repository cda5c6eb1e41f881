// RTL_BITMAP. As on NT, a range that a setting or clearing function is given must lie inside the bitmap.
#include "ke/exports/rtl.hpp"
#include "rtl/bitmap.hpp"

#include <ntifs.h>

#include <algorithm>

#undef RtlCheckBit

using namespace dirql;

namespace {

rtl::Bitmap view(const RTL_BITMAP* header) { return {header->Buffer, header->SizeOfBitMap}; }

ULONG find_and_assign(PRTL_BITMAP header, bool value, ULONG count, ULONG hint) {
    rtl::Bitmap map = view(header);
    const ULONG start = map.find_run(value, count, hint);
    if (start != rtl::no_bit) map.assign({start, count}, !value);
    return start;
}

// Inserts `run` into the `count` longest so far, longest first; the earlier of two equals stays ahead.
ULONG insert_by_length(PRTL_BITMAP_RUN runs, ULONG count, ULONG room, rtl::BitRun run) {
    ULONG place = count;
    while (place > 0 && runs[place - 1].NumberOfBits < run.length) --place;
    if (place == room) return count;
    const ULONG kept = std::min(count + 1, room);
    std::move_backward(runs + place, runs + kept - 1, runs + kept);
    runs[place] = {run.start, run.length};
    return kept;
}

// Bits one by one, for ranges that begin anywhere in both.
void copy_bits(const rtl::Bitmap& from, ULONG first, rtl::Bitmap to, ULONG target, ULONG count) {
    for (ULONG i = 0; i < count; ++i) to.assign({target + i, 1}, from.test(first + i));
}

// Of the bits [start, start + count), which may leave the bitmap.
ULONG count_in_range(const rtl::Bitmap& map, ULONG start, ULONG count, bool value) {
    if (start >= map.size()) return 0;
    const ULONG end = start + std::min(count, map.size() - start);
    ULONG total = 0;
    for (rtl::BitRun run = map.next_run(value, start); run.length != 0 && run.start < end;
         run = map.next_run(value, run.start + run.length))
        total += std::min(run.start + run.length, end) - run.start;
    return total;
}

} // namespace

extern "C" {

VOID NTAPI RtlInitializeBitMap(PRTL_BITMAP header, PULONG buffer, ULONG size) {
    DIRQL_DOOR(RtlInitializeBitMap);
    header->SizeOfBitMap = size;
    header->Buffer = buffer;
}

VOID NTAPI RtlClearBit(PRTL_BITMAP header, ULONG bit) {
    DIRQL_DOOR(RtlClearBit);
    view(header).assign({bit, 1}, false);
}

VOID NTAPI RtlSetBit(PRTL_BITMAP header, ULONG bit) {
    DIRQL_DOOR(RtlSetBit);
    view(header).assign({bit, 1}, true);
}

BOOLEAN NTAPI RtlTestBit(PRTL_BITMAP header, ULONG bit) {
    DIRQL_DOOR(RtlTestBit);
    return view(header).test(bit);
}

VOID NTAPI RtlClearAllBits(PRTL_BITMAP header) {
    DIRQL_DOOR(RtlClearAllBits);
    view(header).assign_all(false);
}

VOID NTAPI RtlSetAllBits(PRTL_BITMAP header) {
    DIRQL_DOOR(RtlSetAllBits);
    view(header).assign_all(true);
}

VOID NTAPI RtlClearBits(PRTL_BITMAP header, ULONG start, ULONG count) {
    DIRQL_DOOR(RtlClearBits);
    view(header).assign({start, count}, false);
}

VOID NTAPI RtlSetBits(PRTL_BITMAP header, ULONG start, ULONG count) {
    DIRQL_DOOR(RtlSetBits);
    view(header).assign({start, count}, true);
}

// FALSE also for a range that is empty or leaves the bitmap.
BOOLEAN NTAPI RtlAreBitsClear(PRTL_BITMAP header, ULONG start, ULONG count) {
    DIRQL_DOOR(RtlAreBitsClear);
    return view(header).all_are({start, count}, false);
}

BOOLEAN NTAPI RtlAreBitsSet(PRTL_BITMAP header, ULONG start, ULONG count) {
    DIRQL_DOOR(RtlAreBitsSet);
    return view(header).all_are({start, count}, true);
}

ULONG NTAPI RtlNumberOfClearBits(PRTL_BITMAP header) {
    DIRQL_DOOR(RtlNumberOfClearBits);
    return view(header).count(false);
}

ULONG NTAPI RtlNumberOfSetBits(PRTL_BITMAP header) {
    DIRQL_DOOR(RtlNumberOfSetBits);
    return view(header).count(true);
}

ULONG NTAPI RtlNumberOfClearBitsInRange(PRTL_BITMAP header, ULONG start, ULONG count) {
    DIRQL_DOOR(RtlNumberOfClearBitsInRange);
    return count_in_range(view(header), start, count, false);
}

ULONG NTAPI RtlNumberOfSetBitsInRange(PRTL_BITMAP header, ULONG start, ULONG count) {
    DIRQL_DOOR(RtlNumberOfSetBitsInRange);
    return count_in_range(view(header), start, count, true);
}

// All of the source to bit `target` of the destination, as much as has room there.
VOID NTAPI RtlCopyBitMap(PRTL_BITMAP source, PRTL_BITMAP destination, ULONG target) {
    DIRQL_DOOR(RtlCopyBitMap);
    const rtl::Bitmap from = view(source), to = view(destination);
    if (target < to.size()) copy_bits(from, 0, to, target, std::min(from.size(), to.size() - target));
}

// The source's bits from `target` on to bit 0 of the destination.
VOID NTAPI RtlExtractBitMap(PRTL_BITMAP source, PRTL_BITMAP destination, ULONG target, ULONG count) {
    DIRQL_DOOR(RtlExtractBitMap);
    const rtl::Bitmap from = view(source), to = view(destination);
    if (target < from.size()) copy_bits(from, target, to, 0, std::min({count, to.size(), from.size() - target}));
}

// The searches return the first bit of the run, or 0xFFFFFFFF.
ULONG NTAPI RtlFindClearBits(PRTL_BITMAP header, ULONG count, ULONG hint) {
    DIRQL_DOOR(RtlFindClearBits);
    return view(header).find_run(false, count, hint);
}

ULONG NTAPI RtlFindSetBits(PRTL_BITMAP header, ULONG count, ULONG hint) {
    DIRQL_DOOR(RtlFindSetBits);
    return view(header).find_run(true, count, hint);
}

ULONG NTAPI RtlFindClearBitsAndSet(PRTL_BITMAP header, ULONG count, ULONG hint) {
    DIRQL_DOOR(RtlFindClearBitsAndSet);
    return find_and_assign(header, false, count, hint);
}

ULONG NTAPI RtlFindSetBitsAndClear(PRTL_BITMAP header, ULONG count, ULONG hint) {
    DIRQL_DOOR(RtlFindSetBitsAndClear);
    return find_and_assign(header, true, count, hint);
}

// The functions below return the length of the run, 0 when there is none.
ULONG NTAPI RtlFindFirstRunClear(PRTL_BITMAP header, PULONG start) {
    DIRQL_DOOR(RtlFindFirstRunClear);
    const rtl::BitRun run = view(header).next_run(false, 0);
    *start = run.start;
    return run.length;
}

ULONG NTAPI RtlFindNextForwardRunClear(PRTL_BITMAP header, ULONG from, PULONG start) {
    DIRQL_DOOR(RtlFindNextForwardRunClear);
    const rtl::BitRun run = view(header).next_run(false, from);
    *start = run.start;
    return run.length;
}

ULONG NTAPI RtlFindLastBackwardRunClear(PRTL_BITMAP header, ULONG from, PULONG start) {
    DIRQL_DOOR(RtlFindLastBackwardRunClear);
    const rtl::Bitmap map = view(header);
    const ULONG last = map.find_back(false, from);
    if (last == rtl::no_bit) {
        *start = from;
        return 0;
    }
    *start = map.find_back(true, last) + 1; // no_bit + 1 is bit 0
    return last - *start + 1;
}

ULONG NTAPI RtlFindLongestRunClear(PRTL_BITMAP header, PULONG start) {
    DIRQL_DOOR(RtlFindLongestRunClear);
    const rtl::Bitmap map = view(header);
    rtl::BitRun longest{0, 0};
    for (rtl::BitRun run = map.next_run(false, 0); run.length != 0; run = map.next_run(false, run.start + run.length))
        if (run.length > longest.length) longest = run;
    *start = longest.start;
    return longest.length;
}

// The first runs, or the longest sorted by length. Returns how many there are.
ULONG NTAPI RtlFindClearRuns(PRTL_BITMAP header, PRTL_BITMAP_RUN runs, ULONG room, BOOLEAN longest) {
    DIRQL_DOOR(RtlFindClearRuns);
    const rtl::Bitmap map = view(header);
    ULONG count = 0;
    for (rtl::BitRun run = map.next_run(false, 0); run.length != 0; run = map.next_run(false, run.start + run.length)) {
        if (longest)
            count = insert_by_length(runs, count, room, run);
        else if (count < room)
            runs[count++] = {run.start, run.length};
        else
            break;
    }
    return count;
}

} // extern "C"
