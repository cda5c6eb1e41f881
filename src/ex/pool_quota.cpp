#include "ex/pool_quota.hpp"

#include "ke/process_list.hpp"

#include <algorithm>
#include <cstring>

namespace dirql::ex {
namespace {

// Behind the guard of a charged block stands the number of the process that pays: the process itself may be gone when the block
// is freed.
constexpr std::size_t payer_size = sizeof(std::uint64_t);

std::byte* payer_of(void* block, std::size_t bytes) noexcept {
    return static_cast<std::byte*>(block) + bytes + guard_size;
}

ke::Process* find_payer(std::uint64_t id) noexcept {
    return ke::find_process(ke::current_machine(), [id](const ke::Process& process) { return process.id == id; });
}

// The block was allocated with room for the payer, which its size does not show from now on.
void mark_charged(Pool& pool, void* block, std::size_t bytes, std::uint64_t payer) noexcept {
    bool paged;
    std::uint8_t owner;
    if (BigBlock* big = detail::find_big(pool, block)) {
        big->size = bytes;
        big->charged = true;
        paged = is_paged(big->kind);
        owner = big->owner;
    } else {
        BlockHeader* header = header_of(block);
        header->size = static_cast<std::uint16_t>(bytes);
        header->state = block_charged;
        paged = is_paged(page_of(block)->kind);
        owner = header->owner;
    }
    pool.owners[owner].bytes[paged] -= payer_size;
    std::memcpy(static_cast<std::byte*>(block) + bytes, &guard_mark, guard_size);
    std::memcpy(payer_of(block, bytes), &payer, payer_size);
}

} // namespace

NTSTATUS charge_pool_quota(ke::Process& process, bool paged, std::size_t bytes) noexcept {
    if (&process == ke::current_machine().system_process) return STATUS_SUCCESS;
    ke::PoolQuota& quota = process.pool_quota[paged];
    const std::size_t physical = ke::current_machine().options.physical_memory;
    const std::size_t unset = bytes <= physical ? physical : ~std::size_t{0}; // more than there is: no matter of quota
    const std::size_t limit = quota.limit != 0 ? quota.limit : unset;
    if (bytes > limit || quota.used > limit - bytes) return STATUS_QUOTA_EXCEEDED;
    quota.used += bytes;
    quota.peak = std::max(quota.peak, quota.used);
    return STATUS_SUCCESS;
}

void return_pool_quota(ke::Process& process, bool paged, std::size_t bytes) noexcept {
    if (&process == ke::current_machine().system_process) return;
    ke::PoolQuota& quota = process.pool_quota[paged];
    quota.used -= std::min(quota.used, bytes);
}

void* allocate_charged_pool(const void* caller, ULONG type, std::size_t bytes, ULONG tag, Fill fill,
                            NTSTATUS& status) noexcept {
    Pool& pool = current_pool();
    ke::Process& process = *ke::current_thread()->process;
    const bool paged = is_paged(pool_kind(type));
    status = charge_pool_quota(process, paged, bytes);
    if (!NT_SUCCESS(status)) return nullptr;
    const bool too_long = bytes + payer_size < bytes;
    void* block = too_long ? nullptr : allocate_pool_for(caller, type, bytes + payer_size, tag, fill);
    if (block == nullptr) {
        return_pool_quota(process, paged, bytes);
        status = STATUS_INSUFFICIENT_RESOURCES;
        return nullptr;
    }
    mark_charged(pool, block, bytes, process.id);
    return block;
}

void detail::return_charge(void* block, std::size_t bytes, bool paged) noexcept {
    std::uint64_t payer;
    std::memcpy(&payer, payer_of(block, bytes), payer_size);
    if (ke::Process* process = find_payer(payer)) return_pool_quota(*process, paged, bytes);
}

} // namespace dirql::ex
