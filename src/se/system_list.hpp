// System lists: the mandatory label is an entry of one, and is asked for, set and kept apart from the rest.
#pragma once

#include "rtl/sid.hpp"

#include <ntifs.h>

#include <cstddef>

namespace dirql::se {

[[nodiscard]] constexpr bool is_label(const ACE_HEADER& ace) noexcept {
    return ace.AceType == SYSTEM_MANDATORY_LABEL_ACE_TYPE;
}
// The entry that counts, the first; null: there is none. `list` may be null.
[[nodiscard]] const ACE_HEADER* label_of(const ACL* list) noexcept;
// The level that a label's SID stands for.
[[nodiscard]] ULONG level_of(PSID label) noexcept;

// A list of what two others give. It may be one of the two, which outlive it, or memory of its own.
class SystemList {
public:
    SystemList() = default;
    ~SystemList();
    SystemList(const SystemList&) = delete;
    SystemList& operator=(const SystemList&) = delete;

    // `audit` gives what is no label, `labels` what is; each may be null. A result without entries is null, unless `audit` has none
    // itself. STATUS_INVALID_SECURITY_DESCR (too long), STATUS_INSUFFICIENT_RESOURCES.
    [[nodiscard]] NTSTATUS join(PACL audit, PACL labels) noexcept;
    // The same in memory of its own.
    [[nodiscard]] NTSTATUS join_copied(PACL audit, PACL labels) noexcept;
    [[nodiscard]] PACL get() const noexcept { return list_; }

private:
    PACL list_ = nullptr;
    bool own_ = false;
};

// A list of one label.
class LabelList {
public:
    LabelList(ACCESS_MASK policy, PSID level) noexcept;
    [[nodiscard]] PACL get() noexcept { return reinterpret_cast<PACL>(bytes_); }

private:
    alignas(8) std::byte bytes_[sizeof(ACL) + 8 + rtl::max_sid_size];
};

} // namespace dirql::se
