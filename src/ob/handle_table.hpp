// Handle tables: one for each process, and the kernel's, which is the system process's.
//
// Values are those of NT: multiples of 4, whose two low bits are the caller's to use; 0 is never a handle, nor is any multiple
// of 0x400 (the first entry of each page of 256 is kept back). New values rise by 4; the value freed last is given out first.
// A handle of the kernel has the bits of kernel_handle_mark set; only KernelMode may use it, in any process's context.
#pragma once

#include "ke/machine.hpp"
#include "ke/thread.hpp"
#include "ob/object.hpp"

#include <ntifs.h>

#include <cstddef>
#include <cstdint>

namespace dirql::ob {

inline constexpr std::uint64_t kernel_handle_mark = 0xFFFF'FFFF'8000'0000;

// HandleEntry::attributes, as OBJECT_HANDLE_INFORMATION::HandleAttributes has them.
namespace handle_attributes {
enum : std::uint32_t {
    protect_from_close = 0x1,
    inherit = OBJ_INHERIT,
};
}

// What a handle is good for, in a word.
struct HandleRights {
    union {
        ACCESS_MASK granted;
        std::uint32_t next_free; // index; 0 ends the list
    };
    std::uint16_t attributes;
    std::uint8_t data_flags; // of `granted`, for control requests: see data_flags_of()
};
struct HandleEntry : HandleRights {
    ObjectHeader* object; // null: free
};
static_assert(sizeof(HandleRights) == 8 && sizeof(HandleEntry) == 16);

// Whether a file's data may be read and written, as a control request's IO_STACK_LOCATION::Flags tell. Any object's handle has them.
[[nodiscard]] constexpr std::uint8_t data_flags_of(ACCESS_MASK granted) noexcept {
    return static_cast<std::uint8_t>(((granted & FILE_READ_DATA) != 0 ? SL_READ_ACCESS_GRANTED : 0) |
                                     ((granted & FILE_WRITE_DATA) != 0 ? SL_WRITE_ACCESS_GRANTED : 0));
}

struct HandleTable {
    static constexpr std::uint32_t page_entries = 256;
    static constexpr std::uint32_t max_pages = 1u << 16; // 16,711,680 handles

    HandleEntry** pages; // grows by doubling; the pages themselves stay where they are
    std::uint32_t page_count;
    std::uint32_t page_capacity;
    std::uint32_t first_free; // index; 0: none, a page must be added
    std::uint32_t count;      // handles in use
    ke::Process* process;
    bool closed; // its process has ended: no new handles

    [[nodiscard]] HandleEntry* find(std::uint64_t value) const noexcept {
        const std::uint64_t index = value >> 2;
        if (index / page_entries >= page_count) return nullptr;
        HandleEntry& entry = pages[index / page_entries][index % page_entries];
        return entry.object == nullptr ? nullptr : &entry;
    }
};

[[nodiscard]] inline HandleTable* table_of(const ke::Process& process) noexcept {
    return static_cast<HandleTable*>(process.ob);
}
[[nodiscard]] inline bool is_kernel_handle(HANDLE handle) noexcept {
    const auto value = reinterpret_cast<std::uint64_t>(handle);
    return (value & kernel_handle_mark) == kernel_handle_mark && handle != NtCurrentProcess() &&
           handle != NtCurrentThread();
}

// Where a handle's table is found, and its value in there. Null for a kernel handle used by user mode.
struct HandlePlace {
    HandleTable* table;
    std::uint64_t value;
};
[[nodiscard]] HandlePlace locate(ke::Process& process, HANDLE handle, KPROCESSOR_MODE mode) noexcept;

// The hot path of every request by handle: the object, referenced, or null, and then reference_by_handle says why.
[[nodiscard]] inline void* lookup(ke::Process& process, HANDLE handle, const ObjectType* type, ACCESS_MASK access,
                                  KPROCESSOR_MODE mode, HandleRights* rights) noexcept {
    const HandleEntry* entry = table_of(process)->find(reinterpret_cast<std::uint64_t>(handle));
    if (entry == nullptr || entry->object->type != type) [[unlikely]]
        return nullptr;
    if (mode != KernelMode && (access & ~entry->granted) != 0) [[unlikely]]
        return nullptr;
    *rights = *entry;
    add_reference(entry->object->pointer_count);
    return entry->object->body();
}

// As ObReferenceObjectByHandle: any handle of the current process, of the kernel, or a pseudo handle; type null: any.
// STATUS_INVALID_HANDLE, STATUS_OBJECT_TYPE_MISMATCH, STATUS_ACCESS_DENIED. IRQL PASSIVE_LEVEL.
[[nodiscard]] NTSTATUS reference_by_handle(HANDLE handle, ACCESS_MASK access, const ObjectType* type,
                                           KPROCESSOR_MODE mode, void** body,
                                           OBJECT_HANDLE_INFORMATION* information = nullptr) noexcept;

// Closes a handle of the current process or the kernel. By KernelMode, an invalid or protected handle is bug check 0x93.
// STATUS_INVALID_HANDLE, STATUS_HANDLE_NOT_CLOSABLE. PASSIVE_LEVEL.
NTSTATUS close(HANDLE handle, KPROCESSOR_MODE mode) noexcept;

// The same for a handle of another process; `process` is the one whose handle it is.
[[nodiscard]] NTSTATUS reference_in_process(ke::Process& process, HANDLE handle, KPROCESSOR_MODE mode, void** body,
                                            OBJECT_HANDLE_INFORMATION& information) noexcept;
NTSTATUS close_in_process(ke::Process& process, HANDLE handle, KPROCESSOR_MODE mode) noexcept;

// A handle of `process` to this object, which gains a reference; kernel handles by OBJ_KERNEL_HANDLE in `attributes`.
// No access check: `granted` is what it grants, less what handle callbacks take away. `source`: for a duplicate, the process that
// has the other handle. STATUS_ACCESS_DENIED (exclusive objects), STATUS_INSUFFICIENT_RESOURCES, STATUS_PROCESS_IS_TERMINATING.
[[nodiscard]] NTSTATUS create_handle(ke::Process& process, void* body, ACCESS_MASK granted, ULONG attributes,
                                     OpenReason reason, HANDLE* handle, ke::Process* source = nullptr) noexcept;

// For ps: a process begins with an empty table, and ends with all its handles closed, in its own context, and
// gets no new ones. PASSIVE_LEVEL.
[[nodiscard]] bool create_handle_table(ke::Process& process) noexcept;
void close_all_handles(ke::Process& process) noexcept;
void free_handle_table(ke::Process& process) noexcept;

} // namespace dirql::ob
