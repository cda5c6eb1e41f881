// The system services of sections, and their views in the system's range.
#include "ke/exports/mm.hpp"
#include "ke/system_service.hpp"
#include "mm/section.hpp"
#include "mm/services.hpp"
#include "ob/namespace.hpp"
#include "ob/service_result.hpp"

namespace dirql::mm {
namespace {

// No file supports sections: those of a device never do, and file systems are not here yet.
NTSTATUS check_no_file(HANDLE handle, KPROCESSOR_MODE mode) noexcept {
    if (handle == nullptr) return STATUS_SUCCESS;
    void* body = nullptr;
    const NTSTATUS status = ob::reference_by_handle(handle, FILE_READ_DATA, nullptr, mode, &body);
    if (!NT_SUCCESS(status)) return status;
    const bool file = ob::type_of(body).index == ob::TypeIndex::file;
    ob::dereference(body);
    return file ? STATUS_INVALID_FILE_FOR_SECTION : STATUS_OBJECT_TYPE_MISMATCH;
}

struct NewSection {
    PLARGE_INTEGER size;
    ULONG protect;
    ULONG attributes;
    HANDLE file;
};

NTSTATUS create(PHANDLE result, ACCESS_MASK access, POBJECT_ATTRIBUTES attributes, const NewSection& asked) noexcept {
    return ob::hand_out_handle(result, [&](KPROCESSOR_MODE mode, HANDLE& handle) {
        LARGE_INTEGER size{};
        NTSTATUS status = ke::copy_in_if_given(size, asked.size, mode);
        if (NT_SUCCESS(status)) status = check_no_file(asked.file, mode);
        if (NT_SUCCESS(status)) status = check_section(size.QuadPart, asked.protect, asked.attributes);
        if (!NT_SUCCESS(status)) return status;
        return ob::make_with_handle<Section>(mode, access, attributes, section_type, handle, [&](Section& section) {
            return initialize_section(section, size.QuadPart, asked.protect, asked.attributes);
        });
    });
}

struct ViewOptions {
    ULONG_PTR zero_bits;
    SIZE_T commit;
    SECTION_INHERIT inherit;
    ULONG type;
    ULONG protect;
};

NTSTATUS check_view(const ViewOptions& options) noexcept {
    if (options.zero_bits > 21) return STATUS_INVALID_PARAMETER_4;
    if (options.inherit != ViewShare && options.inherit != ViewUnmap) return STATUS_INVALID_PARAMETER_8;
    if ((options.type & ~ULONG{MEM_TOP_DOWN | MEM_RESERVE}) != 0) return STATUS_INVALID_PARAMETER_9;
    return valid_protection(options.protect) && (options.protect & PAGE_GUARD) == 0 ? STATUS_SUCCESS
                                                                                    : STATUS_INVALID_PAGE_PROTECTION;
}

NTSTATUS check_extent(const void* base, SIZE_T size) noexcept {
    const auto at = reinterpret_cast<std::uintptr_t>(base);
    if (at >= ke::user_probe_address()) return STATUS_INVALID_PARAMETER_3;
    return size > ke::user_probe_address() - at ? STATUS_INVALID_PARAMETER_3 : STATUS_SUCCESS;
}

NTSTATUS map_in(HANDLE section, HANDLE process, const ViewOptions& options, ViewRequest& request, KPROCESSOR_MODE mode,
                Region*& region) noexcept {
    ProcessReference reference;
    NTSTATUS status = reference.open(process, PROCESS_VM_OPERATION, mode);
    if (!NT_SUCCESS(status)) return status;
    if (reference.arena() == nullptr) return STATUS_PROCESS_IS_TERMINATING;
    void* body = nullptr;
    OBJECT_HANDLE_INFORMATION information{};
    status =
        ob::reference_by_handle(section, section_access_for(options.protect), &section_type, mode, &body, &information);
    if (!NT_SUCCESS(status)) return status;
    if (mode != KernelMode) request.granted = information.GrantedAccess; // the kernel is not asked for rights
    status = map_view_of(*static_cast<Section*>(body), *reference.arena(), request, region);
    ob::dereference(body);
    return status;
}

NTSTATUS map(HANDLE section, HANDLE process, PVOID* base, PLARGE_INTEGER offset, PSIZE_T size,
             const ViewOptions& options) noexcept {
    const KPROCESSOR_MODE mode = ke::previous_mode();
    PVOID at = nullptr;
    SIZE_T bytes = 0;
    LARGE_INTEGER from{};
    NTSTATUS status = check_view(options);
    if (NT_SUCCESS(status)) status = ke::probe_out(base, mode);
    if (NT_SUCCESS(status)) status = ke::probe_out(size, mode);
    if (NT_SUCCESS(status) && offset != nullptr) status = ke::probe_out(offset, mode);
    if (NT_SUCCESS(status)) status = ke::copy_in(at, base, mode);
    if (NT_SUCCESS(status)) status = ke::copy_in(bytes, size, mode);
    if (NT_SUCCESS(status) && offset != nullptr) status = ke::copy_in(from, offset, mode);
    if (NT_SUCCESS(status)) status = check_extent(at, bytes);
    if (!NT_SUCCESS(status)) return status;
    const std::uint64_t start = static_cast<std::uint64_t>(from.QuadPart) & ~std::uint64_t{granularity - 1};
    if (bytes != 0) bytes += static_cast<std::uint64_t>(from.QuadPart) - start; // its end stays where it was asked for
    ViewRequest request{.base = at,
                        .offset = start,
                        .bytes = bytes,
                        .commit = options.commit,
                        .top_down = (options.type & MEM_TOP_DOWN) != 0,
                        .protect = options.protect};
    Region* region = nullptr;
    status = map_in(section, process, options, request, mode, region);
    if (!NT_SUCCESS(status)) return status;
    at = region->arena->address_of(region->first);
    bytes = std::size_t{region->count} * ke::page_size;
    from.QuadPart = static_cast<LONGLONG>(start);
    status = ke::copy_out(base, at, mode);
    if (NT_SUCCESS(status)) status = ke::copy_out(size, bytes, mode);
    return NT_SUCCESS(status) && offset != nullptr ? ke::copy_out(offset, from, mode) : status;
}

NTSTATUS unmap(HANDLE process, const void* address) noexcept {
    const KPROCESSOR_MODE mode = ke::previous_mode();
    ProcessReference reference;
    const NTSTATUS status = reference.open(process, PROCESS_VM_OPERATION, mode);
    if (!NT_SUCCESS(status)) return status;
    const Arena* arena = reference.arena();
    if (arena == nullptr || !arena_holds(*arena, address, 1)) return STATUS_NOT_MAPPED_VIEW;
    Region* region = region_at(*arena, arena->page_of(address));
    if (region == nullptr || region->section == nullptr) return STATUS_NOT_MAPPED_VIEW;
    if (!secures_allow(*arena, {region->first, region->count}, 0, mode)) return STATUS_INVALID_PAGE_PROTECTION;
    release_region(*region);
    return STATUS_SUCCESS;
}

} // namespace
} // namespace dirql::mm

DIRQL_OBJECT_TYPE_EXPORT(MmSectionObjectType, dirql::mm::section_type)

using namespace dirql;

extern "C" {

NTSTATUS NTAPI NtCreateSection(PHANDLE SectionHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
                               PLARGE_INTEGER MaximumSize, ULONG SectionPageProtection, ULONG AllocationAttributes,
                               HANDLE FileHandle) {
    return ke::system_service([&] {
        DIRQL_DOOR(NtCreateSection);
        return mm::create(SectionHandle, DesiredAccess, ObjectAttributes,
                          {MaximumSize, SectionPageProtection, AllocationAttributes, FileHandle});
    });
}

NTSTATUS NTAPI ZwCreateSection(PHANDLE SectionHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
                               PLARGE_INTEGER MaximumSize, ULONG SectionPageProtection, ULONG AllocationAttributes,
                               HANDLE FileHandle) {
    DIRQL_DOOR(ZwCreateSection);
    const ke::KernelModeCaller caller;
    return NtCreateSection(SectionHandle, DesiredAccess, ObjectAttributes, MaximumSize, SectionPageProtection,
                           AllocationAttributes, FileHandle);
}

NTSTATUS NTAPI NtOpenSection(PHANDLE SectionHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes) {
    return ke::system_service([&] {
        DIRQL_DOOR(NtOpenSection);
        return ob::open_service(SectionHandle, DesiredAccess, ObjectAttributes, mm::section_type);
    });
}

NTSTATUS NTAPI ZwOpenSection(PHANDLE SectionHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes) {
    DIRQL_DOOR(ZwOpenSection);
    const ke::KernelModeCaller caller;
    return NtOpenSection(SectionHandle, DesiredAccess, ObjectAttributes);
}

NTSTATUS NTAPI NtMapViewOfSection(HANDLE SectionHandle, HANDLE ProcessHandle, PVOID* BaseAddress, ULONG_PTR ZeroBits,
                                  SIZE_T CommitSize, PLARGE_INTEGER SectionOffset, PSIZE_T ViewSize,
                                  SECTION_INHERIT InheritDisposition, ULONG AllocationType, ULONG Win32Protect) {
    return ke::system_service([&] {
        DIRQL_DOOR(NtMapViewOfSection);
        return mm::map(SectionHandle, ProcessHandle, BaseAddress, SectionOffset, ViewSize,
                       {ZeroBits, CommitSize, InheritDisposition, AllocationType, Win32Protect});
    });
}

NTSTATUS NTAPI ZwMapViewOfSection(HANDLE SectionHandle, HANDLE ProcessHandle, PVOID* BaseAddress, ULONG_PTR ZeroBits,
                                  SIZE_T CommitSize, PLARGE_INTEGER SectionOffset, PSIZE_T ViewSize,
                                  SECTION_INHERIT InheritDisposition, ULONG AllocationType, ULONG Win32Protect) {
    DIRQL_DOOR(ZwMapViewOfSection);
    const ke::KernelModeCaller caller;
    return NtMapViewOfSection(SectionHandle, ProcessHandle, BaseAddress, ZeroBits, CommitSize, SectionOffset, ViewSize,
                              InheritDisposition, AllocationType, Win32Protect);
}

NTSTATUS NTAPI NtUnmapViewOfSection(HANDLE ProcessHandle, PVOID BaseAddress) {
    return ke::system_service([&] {
        DIRQL_DOOR(NtUnmapViewOfSection);
        return mm::unmap(ProcessHandle, BaseAddress);
    });
}

NTSTATUS NTAPI ZwUnmapViewOfSection(HANDLE ProcessHandle, PVOID BaseAddress) {
    DIRQL_DOOR(ZwUnmapViewOfSection);
    const ke::KernelModeCaller caller;
    return NtUnmapViewOfSection(ProcessHandle, BaseAddress);
}

NTSTATUS NTAPI MmMapViewInSystemSpace(PVOID Section, PVOID* MappedBase, PSIZE_T ViewSize) {
    DIRQL_DOOR(MmMapViewInSystemSpace);
    return mm::map_system_view(*static_cast<mm::Section*>(Section), *MappedBase, *ViewSize);
}

NTSTATUS NTAPI MmUnmapViewInSystemSpace(PVOID MappedBase) {
    DIRQL_DOOR(MmUnmapViewInSystemSpace);
    return mm::unmap_system_view(MappedBase);
}

// All sessions share the system's range.
NTSTATUS NTAPI MmMapViewInSessionSpace(PVOID Section, PVOID* MappedBase, PSIZE_T ViewSize) {
    DIRQL_DOOR(MmMapViewInSessionSpace);
    return mm::map_system_view(*static_cast<mm::Section*>(Section), *MappedBase, *ViewSize);
}

NTSTATUS NTAPI MmUnmapViewInSessionSpace(PVOID MappedBase) {
    DIRQL_DOOR(MmUnmapViewInSessionSpace);
    return mm::unmap_system_view(MappedBase);
}
}
