// Pool that is charged to the process on whose behalf it is allocated.
#pragma once

#include "ex/pool.hpp"
#include "ke/thread.hpp"

namespace dirql::ex {

// STATUS_QUOTA_EXCEEDED when the process may have no more. The system process is charged nothing.
[[nodiscard]] NTSTATUS charge_pool_quota(ke::Process& process, bool paged, std::size_t bytes) noexcept;
void return_pool_quota(ke::Process& process, bool paged, std::size_t bytes) noexcept;

// As allocate_pool_for, charged to the current process until the block is freed. Null: `status` says why,
// STATUS_QUOTA_EXCEEDED or STATUS_INSUFFICIENT_RESOURCES.
[[nodiscard]] void* allocate_charged_pool(const void* caller, ULONG type, std::size_t bytes, ULONG tag, Fill fill,
                                          NTSTATUS& status) noexcept;

} // namespace dirql::ex
