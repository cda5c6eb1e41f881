// The bug checks of the pool: codes and parameters as the debugger's documents list them.
#include "ex/pool.hpp"
#include "ke/stop.hpp"

#include <cstring>

namespace dirql::ex::detail {
namespace {

constexpr const char* caller_document = "Bug Check 0xC2: BAD_POOL_CALLER";

// "tag 'ABCD'", for the report.
class TagText {
public:
    explicit TagText(ULONG tag) noexcept {
        for (unsigned i = 0; i < 4; ++i) {
            const char c = static_cast<char>(tag >> (8 * i));
            text_[5 + i] = c >= 0x20 && c < 0x7F ? c : '.';
        }
    }
    [[nodiscard]] const char* c_str() const noexcept { return text_; }

private:
    char text_[11] = "tag '    '";
};

} // namespace

void freed_twice(std::uint64_t header, const void* block, ULONG tag) noexcept {
    ke::bug_check(BAD_POOL_CALLER, 7, 0, header, ke::parameter(block),
                  {.rule = "a pool block was freed that is free already",
                   .document = caller_document,
                   .name = TagText(tag).c_str()});
}

void wrong_tag(const void* block, ULONG allocated, ULONG freed) noexcept {
    ke::bug_check(BAD_POOL_CALLER, 0xA, ke::parameter(block), allocated, freed,
                  {.rule = "a pool block was freed with another tag than it was allocated with",
                   .document = "ExFreePoolWithTag function (wdm.h)",
                   .name = TagText(allocated).c_str()});
}

// 0x19/0x21 and not the verifier's 0xC4/0x51: the free build's own code for a block whose trailing bytes changed.
void overrun(const void* block, std::size_t size, ULONG tag) noexcept {
    std::uint64_t found;
    std::memcpy(&found, static_cast<const std::byte*>(block) + size, sizeof found);
    ke::bug_check(BAD_POOL_HEADER, 0x21, ke::parameter(block), size, found,
                  {.rule = "a pool block was written past its end",
                   .document = "Bug Check 0x19: BAD_POOL_HEADER",
                   .name = TagText(tag).c_str()});
}

void modified_after_free(const std::byte* where, ULONG tag) noexcept {
    ke::bug_check(DRIVER_CAUGHT_MODIFYING_FREED_POOL, ke::parameter(where), 1, 0, 0,
                  {.rule = "a pool block was written after it was freed; seen when it was allocated anew",
                   .document = "Bug Check 0xC6: DRIVER_CAUGHT_MODIFYING_FREED_POOL",
                   .name = TagText(tag).c_str()});
}

void free_list_corrupt(const BlockHeader* header) noexcept {
    ke::bug_check(BAD_POOL_HEADER, 0xD, ke::parameter(header), 0, 0,
                  {.rule = "the header of a free pool block was overwritten, most likely by the block in front of it",
                   .document = "Bug Check 0x19: BAD_POOL_HEADER"});
}

void allocate_irql_violation(ULONG type, std::size_t bytes) noexcept {
    const bool paged = is_paged(pool_kind(type));
    ke::bug_check(DRIVER_VERIFIER_DETECTED_VIOLATION, paged ? 1 : 2, ke::current_processor()->irql, type, bytes,
                  {.rule = paged ? "paged pool was allocated above APC_LEVEL"
                                 : "nonpaged pool was allocated above DISPATCH_LEVEL",
                   .document = "ExAllocatePoolWithTag function (wdm.h)"});
}

void free_irql_violation(PoolKind kind, const void* block) noexcept {
    const bool paged = is_paged(kind);
    ke::bug_check(
        DRIVER_VERIFIER_DETECTED_VIOLATION, paged ? 0x11 : 0x12, ke::current_processor()->irql,
        paged ? PagedPool : NonPagedPool, ke::parameter(block),
        {.rule = paged ? "paged pool was freed above APC_LEVEL" : "nonpaged pool was freed above DISPATCH_LEVEL",
         .document = "ExFreePoolWithTag function (wdm.h)"});
}

} // namespace dirql::ex::detail
