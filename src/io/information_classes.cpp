#include "io/information_classes.hpp"

#include "io/services.hpp"
#include "ke/exports/io_file.hpp"

namespace dirql::io {
namespace {

template <class T> constexpr ClassRule rule(ACCESS_MASK access = 0) noexcept {
    return {sizeof(T), access, alignof(T) < 4 ? 4 : static_cast<ULONG>(alignof(T))};
}

// Structures that no driver of ours has met yet: by their documented sizes.
constexpr ClassRule sized(ULONG bytes, ACCESS_MASK access = 0, ULONG alignment = 4) noexcept {
    return {bytes, access, alignment};
}

} // namespace

ClassRule query_rule(FILE_INFORMATION_CLASS which) noexcept {
    switch (which) {
    case FileBasicInformation: return rule<FILE_BASIC_INFORMATION>(FILE_READ_ATTRIBUTES);
    case FileStandardInformation: return rule<FILE_STANDARD_INFORMATION>();
    case FileInternalInformation: return rule<FILE_INTERNAL_INFORMATION>();
    case FileEaInformation: return rule<FILE_EA_INFORMATION>();
    case FileAccessInformation: return rule<FILE_ACCESS_INFORMATION>();
    case FileNameInformation:
    case FileAlternateNameInformation:
    case FileNormalizedNameInformation:
    case FileNetworkPhysicalNameInformation:
    case FileVolumeNameInformation: return rule<FILE_NAME_INFORMATION>();
    case FilePositionInformation: return rule<FILE_POSITION_INFORMATION>();
    case FileFullEaInformation: return rule<FILE_FULL_EA_INFORMATION>(FILE_READ_EA);
    case FileModeInformation: return rule<FILE_MODE_INFORMATION>();
    case FileAlignmentInformation: return rule<FILE_ALIGNMENT_INFORMATION>();
    case FileAllInformation: return rule<FILE_ALL_INFORMATION>(FILE_READ_ATTRIBUTES);
    case FileStreamInformation: return rule<FILE_STREAM_INFORMATION>();
    case FilePipeInformation: return rule<FILE_PIPE_INFORMATION>(FILE_READ_ATTRIBUTES);
    case FilePipeLocalInformation: return rule<FILE_PIPE_LOCAL_INFORMATION>(FILE_READ_ATTRIBUTES);
    case FilePipeRemoteInformation: return rule<FILE_PIPE_REMOTE_INFORMATION>(FILE_READ_ATTRIBUTES);
    case FileMailslotQueryInformation: return rule<FILE_MAILSLOT_QUERY_INFORMATION>();
    case FileCompressionInformation: return sized(16, FILE_READ_ATTRIBUTES, 8);
    case FileObjectIdInformation: return sized(72, FILE_READ_ATTRIBUTES, 8);
    case FileReparsePointInformation: return sized(16, FILE_READ_ATTRIBUTES, 8);
    case FileNetworkOpenInformation: return rule<FILE_NETWORK_OPEN_INFORMATION>(FILE_READ_ATTRIBUTES);
    case FileAttributeTagInformation: return rule<FILE_ATTRIBUTE_TAG_INFORMATION>(FILE_READ_ATTRIBUTES);
    case FileIoCompletionNotificationInformation: return rule<FILE_IO_COMPLETION_NOTIFICATION_INFORMATION>();
    case FileIoPriorityHintInformation: return rule<FILE_IO_PRIORITY_HINT_INFORMATION>(FILE_READ_DATA);
    case FileHardLinkInformation: return sized(24, FILE_READ_ATTRIBUTES, 8);
    case FileIsRemoteDeviceInformation: return {sizeof(FILE_IS_REMOTE_DEVICE_INFORMATION), 0, 1};
    case FileStandardLinkInformation: return sized(12);
    case FileRemoteProtocolInformation: return sized(116);
    case FileIdInformation: return sized(24, 0, 8);
    case FileStatInformation: return sized(72, FILE_READ_ATTRIBUTES, 8);
    case FileCaseSensitiveInformation:
    case FileCaseSensitiveInformationForceAccessCheck: return sized(4, FILE_READ_ATTRIBUTES);
    default: return {};
    }
}

ClassRule set_rule(FILE_INFORMATION_CLASS which) noexcept {
    switch (which) {
    case FileBasicInformation: return rule<FILE_BASIC_INFORMATION>(FILE_WRITE_ATTRIBUTES);
    case FileRenameInformation:
    case FileRenameInformationEx: return rule<FILE_RENAME_INFORMATION>(DELETE);
    case FileLinkInformation:
    case FileLinkInformationEx: return rule<FILE_LINK_INFORMATION>();
    case FileDispositionInformation: return {sizeof(FILE_DISPOSITION_INFORMATION), DELETE, 1};
    case FileDispositionInformationEx: return rule<FILE_DISPOSITION_INFORMATION_EX>(DELETE);
    case FilePositionInformation: return rule<FILE_POSITION_INFORMATION>();
    case FileModeInformation: return rule<FILE_MODE_INFORMATION>();
    case FileAllocationInformation: return rule<FILE_ALLOCATION_INFORMATION>(FILE_WRITE_DATA);
    case FileEndOfFileInformation: return rule<FILE_END_OF_FILE_INFORMATION>(FILE_WRITE_DATA);
    case FilePipeInformation: return rule<FILE_PIPE_INFORMATION>(FILE_WRITE_ATTRIBUTES);
    case FilePipeRemoteInformation: return rule<FILE_PIPE_REMOTE_INFORMATION>(FILE_WRITE_ATTRIBUTES);
    case FileMailslotSetInformation: return rule<FILE_MAILSLOT_SET_INFORMATION>();
    case FileObjectIdInformation: return sized(72, FILE_WRITE_DATA, 8);
    case FileCompletionInformation:
    case FileReplaceCompletionInformation: return rule<FILE_COMPLETION_INFORMATION>();
    case FileValidDataLengthInformation: return rule<FILE_VALID_DATA_LENGTH_INFORMATION>(FILE_WRITE_DATA);
    case FileShortNameInformation: return rule<FILE_NAME_INFORMATION>(DELETE);
    case FileIoCompletionNotificationInformation: return rule<FILE_IO_COMPLETION_NOTIFICATION_INFORMATION>();
    case FileIoPriorityHintInformation: return rule<FILE_IO_PRIORITY_HINT_INFORMATION>();
    case FileCaseSensitiveInformation:
    case FileCaseSensitiveInformationForceAccessCheck: return sized(4, FILE_WRITE_ATTRIBUTES);
    default: return {};
    }
}

ClassRule volume_query_rule(FS_INFORMATION_CLASS which) noexcept {
    switch (which) {
    case FileFsVolumeInformation: return rule<FILE_FS_VOLUME_INFORMATION>();
    case FileFsSizeInformation: return rule<FILE_FS_SIZE_INFORMATION>();
    case FileFsDeviceInformation: return rule<FILE_FS_DEVICE_INFORMATION>();
    case FileFsAttributeInformation: return rule<FILE_FS_ATTRIBUTE_INFORMATION>();
    case FileFsControlInformation: return sized(48, FILE_READ_DATA, 8);
    case FileFsFullSizeInformation: return rule<FILE_FS_FULL_SIZE_INFORMATION>();
    case FileFsObjectIdInformation: return rule<FILE_FS_OBJECTID_INFORMATION>();
    case FileFsVolumeFlagsInformation: return sized(4);
    case FileFsSectorSizeInformation: return sized(28);
    default: return {};
    }
}

ClassRule volume_set_rule(FS_INFORMATION_CLASS which) noexcept {
    switch (which) {
    case FileFsLabelInformation: return rule<FILE_FS_LABEL_INFORMATION>(FILE_WRITE_DATA);
    case FileFsControlInformation: return sized(48, FILE_WRITE_DATA, 8);
    case FileFsObjectIdInformation: return rule<FILE_FS_OBJECTID_INFORMATION>(FILE_WRITE_DATA);
    case FileFsVolumeFlagsInformation: return sized(4, FILE_WRITE_ATTRIBUTES);
    default: return {};
    }
}

} // namespace dirql::io

using namespace dirql::io;

extern "C" {

NTSTATUS NTAPI IoCheckQuerySetFileInformation(FILE_INFORMATION_CLASS FileInformationClass, ULONG Length,
                                              BOOLEAN SetOperation) {
    DIRQL_DOOR(IoCheckQuerySetFileInformation);
    return check_class(SetOperation ? set_rule(FileInformationClass) : query_rule(FileInformationClass), Length);
}

NTSTATUS NTAPI IoCheckQuerySetVolumeInformation(FS_INFORMATION_CLASS FsInformationClass, ULONG Length,
                                                BOOLEAN SetOperation) {
    DIRQL_DOOR(IoCheckQuerySetVolumeInformation);
    return check_class(SetOperation ? volume_set_rule(FsInformationClass) : volume_query_rule(FsInformationClass),
                       Length);
}
}
