// References to objects, as drivers take them.
#include "ke/exports/ob.hpp"
#include "ob/handle_table.hpp"
#include "ob/namespace.hpp"
#include "ob/object.hpp"
#include "ob/services.hpp"

using namespace dirql;

extern "C" {

LONG_PTR NTAPI ObfReferenceObject(PVOID Object) {
    DIRQL_DOOR(ObfReferenceObject);
    return ob::reference(Object);
}

LONG_PTR NTAPI ObfReferenceObjectWithTag(PVOID Object, ULONG Tag) {
    DIRQL_DOOR(ObfReferenceObjectWithTag);
    UNREFERENCED_PARAMETER(Tag);
    return ob::reference(Object);
}

LONG_PTR NTAPI ObfDereferenceObject(PVOID Object) {
    DIRQL_DOOR(ObfDereferenceObject);
    return ob::dereference(Object);
}

LONG_PTR NTAPI ObfDereferenceObjectWithTag(PVOID Object, ULONG Tag) {
    DIRQL_DOOR(ObfDereferenceObjectWithTag);
    UNREFERENCED_PARAMETER(Tag);
    return ob::dereference(Object);
}

// An object that lives in a list of its type's until it is deleted may be found there without a reference to stand on.
BOOLEAN NTAPI ObReferenceObjectSafe(PVOID Object) {
    DIRQL_DOOR(ObReferenceObjectSafe);
    return ob::reference_safely(Object);
}

BOOLEAN NTAPI ObReferenceObjectSafeWithTag(PVOID Object, ULONG Tag) {
    DIRQL_DOOR(ObReferenceObjectSafeWithTag);
    UNREFERENCED_PARAMETER(Tag);
    return ob::reference_safely(Object);
}

VOID NTAPI ObDereferenceObjectDeferDelete(PVOID Object) {
    DIRQL_DOOR(ObDereferenceObjectDeferDelete);
    ob::dereference_deferred(Object);
}

VOID NTAPI ObDereferenceObjectDeferDeleteWithTag(PVOID Object, ULONG Tag) {
    DIRQL_DOOR(ObDereferenceObjectDeferDeleteWithTag);
    UNREFERENCED_PARAMETER(Tag);
    ob::dereference_deferred(Object);
}

NTSTATUS NTAPI ObReferenceObjectByPointer(PVOID Object, ACCESS_MASK DesiredAccess, POBJECT_TYPE ObjectType,
                                          KPROCESSOR_MODE AccessMode) {
    DIRQL_DOOR(ObReferenceObjectByPointer);
    UNREFERENCED_PARAMETER(DesiredAccess);
    return ob::reference_by_pointer(Object, ObjectType, AccessMode);
}

NTSTATUS NTAPI ObReferenceObjectByPointerWithTag(PVOID Object, ACCESS_MASK DesiredAccess, POBJECT_TYPE ObjectType,
                                                 KPROCESSOR_MODE AccessMode, ULONG Tag) {
    DIRQL_DOOR(ObReferenceObjectByPointerWithTag);
    UNREFERENCED_PARAMETER(DesiredAccess);
    UNREFERENCED_PARAMETER(Tag);
    return ob::reference_by_pointer(Object, ObjectType, AccessMode);
}

NTSTATUS NTAPI ObReferenceObjectByHandle(HANDLE Handle, ACCESS_MASK DesiredAccess, POBJECT_TYPE ObjectType,
                                         KPROCESSOR_MODE AccessMode, PPVOID Object,
                                         POBJECT_HANDLE_INFORMATION HandleInformation) {
    DIRQL_DOOR(ObReferenceObjectByHandle);
    return ob::reference_by_handle(Handle, DesiredAccess, ObjectType, AccessMode, Object, HandleInformation);
}

NTSTATUS NTAPI ObReferenceObjectByHandleWithTag(HANDLE Handle, ACCESS_MASK DesiredAccess, POBJECT_TYPE ObjectType,
                                                KPROCESSOR_MODE AccessMode, ULONG Tag, PPVOID Object,
                                                POBJECT_HANDLE_INFORMATION HandleInformation) {
    DIRQL_DOOR(ObReferenceObjectByHandleWithTag);
    UNREFERENCED_PARAMETER(Tag);
    return ob::reference_by_handle(Handle, DesiredAccess, ObjectType, AccessMode, Object, HandleInformation);
}

NTSTATUS NTAPI ObOpenObjectByPointer(PVOID Object, ULONG HandleAttributes, PACCESS_STATE PassedAccessState,
                                     ACCESS_MASK DesiredAccess, POBJECT_TYPE ObjectType, KPROCESSOR_MODE AccessMode,
                                     PHANDLE Handle) {
    DIRQL_DOOR(ObOpenObjectByPointer);
    return ob::open_by_pointer(Object, HandleAttributes, PassedAccessState, DesiredAccess, ObjectType, AccessMode,
                               Handle);
}

NTSTATUS NTAPI ObOpenObjectByPointerWithTag(PVOID Object, ULONG HandleAttributes, PACCESS_STATE PassedAccessState,
                                            ACCESS_MASK DesiredAccess, POBJECT_TYPE ObjectType,
                                            KPROCESSOR_MODE AccessMode, ULONG Tag, PHANDLE Handle) {
    DIRQL_DOOR(ObOpenObjectByPointerWithTag);
    UNREFERENCED_PARAMETER(Tag);
    return ob::open_by_pointer(Object, HandleAttributes, PassedAccessState, DesiredAccess, ObjectType, AccessMode,
                               Handle);
}

NTSTATUS NTAPI ObOpenObjectByName(POBJECT_ATTRIBUTES ObjectAttributes, POBJECT_TYPE ObjectType,
                                  KPROCESSOR_MODE AccessMode, PACCESS_STATE PassedAccessState,
                                  ACCESS_MASK DesiredAccess, PVOID ParseContext, PHANDLE Handle) {
    DIRQL_DOOR(ObOpenObjectByName);
    const ACCESS_MASK asked = PassedAccessState == nullptr ? DesiredAccess : PassedAccessState->OriginalDesiredAccess;
    return ob::open_by_name(ObjectAttributes, ObjectType, AccessMode, asked, ParseContext, Handle);
}

NTSTATUS NTAPI ObReferenceObjectByName(PUNICODE_STRING ObjectName, ULONG Attributes, PACCESS_STATE PassedAccessState,
                                       ACCESS_MASK DesiredAccess, POBJECT_TYPE ObjectType, KPROCESSOR_MODE AccessMode,
                                       PVOID ParseContext, PVOID* Object) {
    DIRQL_DOOR(ObReferenceObjectByName);
    const ACCESS_MASK asked = PassedAccessState == nullptr ? DesiredAccess : PassedAccessState->OriginalDesiredAccess;
    *Object = nullptr;
    return ob::reference_by_name(*ObjectName, Attributes, asked, ObjectType, AccessMode, ParseContext, Object);
}

NTSTATUS NTAPI ObQueryNameString(PVOID Object, POBJECT_NAME_INFORMATION ObjectNameInfo, ULONG Length,
                                 PULONG ReturnLength) {
    DIRQL_DOOR(ObQueryNameString);
    return ob::query_name_string(Object, ObjectNameInfo, Length, ReturnLength);
}

VOID NTAPI ObMakeTemporaryObject(PVOID Object) {
    DIRQL_DOOR(ObMakeTemporaryObject);
    ob::make_temporary(Object);
}

BOOLEAN NTAPI ObIsKernelHandle(HANDLE Handle) {
    DIRQL_DOOR(ObIsKernelHandle);
    return ob::is_kernel_handle(Handle);
}

POBJECT_TYPE NTAPI ObGetObjectType(PVOID Object) {
    DIRQL_DOOR(ObGetObjectType);
    return const_cast<POBJECT_TYPE>(&ob::type_of(Object));
}
}
