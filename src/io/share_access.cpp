// Sharing: a file system keeps one SHARE_ACCESS for each of its files and asks here whether one more open fits those that there are.
//
// An open reads (FILE_READ_DATA, FILE_EXECUTE), writes (FILE_WRITE_DATA, FILE_APPEND_DATA) or deletes (DELETE), and lets others read,
// write or delete. It fits when all that are open let it do what it does and it lets them do what they do. One that does
// nothing of the three is compatible with all and is not counted.
#include "io/file.hpp"
#include "ke/exports/io_file.hpp"

namespace dirql::io {
namespace {

constexpr ACCESS_MASK reads = FILE_READ_DATA | FILE_EXECUTE;
constexpr ACCESS_MASK writes = FILE_WRITE_DATA | FILE_APPEND_DATA;

constexpr BOOLEAN has(ULONG mask, ULONG bits) noexcept { return (mask & bits) != 0; }

bool counts(PFILE_OBJECT file) noexcept { return file->ReadAccess || file->WriteAccess || file->DeleteAccess; }
bool ignores_sharing(PFILE_OBJECT file) noexcept {
    return file->FileObjectExtension != nullptr && extension_of(file).ignores_sharing;
}

// What the open does and allows is kept in its file object; what it allows is of interest only where it counts.
void note_access(PFILE_OBJECT file, ACCESS_MASK access, ULONG share) noexcept {
    file->ReadAccess = has(access, reads);
    file->WriteAccess = has(access, writes);
    file->DeleteAccess = has(access, DELETE);
    if (!counts(file)) return;
    file->SharedRead = has(share, FILE_SHARE_READ);
    file->SharedWrite = has(share, FILE_SHARE_WRITE);
    file->SharedDelete = has(share, FILE_SHARE_DELETE);
}

// Adds (or, by minus one, takes back) one open.
void count(PFILE_OBJECT file, SHARE_ACCESS& shared, ULONG by) noexcept {
    shared.OpenCount += by;
    if (file->ReadAccess) shared.Readers += by;
    if (file->WriteAccess) shared.Writers += by;
    if (file->DeleteAccess) shared.Deleters += by;
    if (file->SharedRead) shared.SharedRead += by;
    if (file->SharedWrite) shared.SharedWrite += by;
    if (file->SharedDelete) shared.SharedDelete += by;
}

bool fits(PFILE_OBJECT file, const SHARE_ACCESS& shared) noexcept {
    const bool may = (!file->ReadAccess || shared.SharedRead == shared.OpenCount) &&
                     (!file->WriteAccess || shared.SharedWrite == shared.OpenCount) &&
                     (!file->DeleteAccess || shared.SharedDelete == shared.OpenCount);
    const bool lets = (file->SharedRead || shared.Readers == 0) && (file->SharedWrite || shared.Writers == 0) &&
                      (file->SharedDelete || shared.Deleters == 0);
    return may && lets;
}

// Who may not write the file must not keep others from reading it: such an open lets them, whatever it said.
ULONG permitted_share(ACCESS_MASK access, ULONG share, const BOOLEAN* write_permission) noexcept {
    const bool exclusive = (access & reads) != 0 && (share & FILE_SHARE_READ) == 0;
    return exclusive && write_permission != nullptr && *write_permission == FALSE ? share | FILE_SHARE_READ : share;
}

NTSTATUS check(ACCESS_MASK access, ULONG share, PFILE_OBJECT file, SHARE_ACCESS& shared, bool update,
               const BOOLEAN* write_permission) noexcept {
    note_access(file, access, permitted_share(access, share, write_permission));
    if (!counts(file) || ignores_sharing(file)) return STATUS_SUCCESS;
    if (!fits(file, shared)) return STATUS_SHARING_VIOLATION;
    if (update) count(file, shared, 1);
    return STATUS_SUCCESS;
}

void set(ACCESS_MASK access, ULONG share, PFILE_OBJECT file, SHARE_ACCESS& shared) noexcept {
    note_access(file, access, share);
    shared = {};
    if (counts(file) && !ignores_sharing(file)) count(file, shared, 1);
}

} // namespace
} // namespace dirql::io

using namespace dirql::io;

extern "C" {

NTSTATUS NTAPI IoCheckShareAccess(ACCESS_MASK DesiredAccess, ULONG DesiredShareAccess, PFILE_OBJECT FileObject,
                                  PSHARE_ACCESS ShareAccess, BOOLEAN Update) {
    DIRQL_DOOR(IoCheckShareAccess);
    return check(DesiredAccess, DesiredShareAccess, FileObject, *ShareAccess, Update != FALSE, nullptr);
}

NTSTATUS NTAPI IoCheckShareAccessEx(ACCESS_MASK DesiredAccess, ULONG DesiredShareAccess, PFILE_OBJECT FileObject,
                                    PSHARE_ACCESS ShareAccess, BOOLEAN Update, PBOOLEAN WritePermission) {
    DIRQL_DOOR(IoCheckShareAccessEx);
    return check(DesiredAccess, DesiredShareAccess, FileObject, *ShareAccess, Update != FALSE, WritePermission);
}

VOID NTAPI IoSetShareAccess(ACCESS_MASK DesiredAccess, ULONG DesiredShareAccess, PFILE_OBJECT FileObject,
                            PSHARE_ACCESS ShareAccess) {
    DIRQL_DOOR(IoSetShareAccess);
    set(DesiredAccess, DesiredShareAccess, FileObject, *ShareAccess);
}

VOID NTAPI IoSetShareAccessEx(ACCESS_MASK DesiredAccess, ULONG DesiredShareAccess, PFILE_OBJECT FileObject,
                              PSHARE_ACCESS ShareAccess, PBOOLEAN WritePermission) {
    DIRQL_DOOR(IoSetShareAccessEx);
    set(DesiredAccess, permitted_share(DesiredAccess, DesiredShareAccess, WritePermission), FileObject, *ShareAccess);
}

VOID NTAPI IoUpdateShareAccess(PFILE_OBJECT FileObject, PSHARE_ACCESS ShareAccess) {
    DIRQL_DOOR(IoUpdateShareAccess);
    if (counts(FileObject) && !ignores_sharing(FileObject)) count(FileObject, *ShareAccess, 1);
}

VOID NTAPI IoRemoveShareAccess(PFILE_OBJECT FileObject, PSHARE_ACCESS ShareAccess) {
    DIRQL_DOOR(IoRemoveShareAccess);
    if (counts(FileObject) && !ignores_sharing(FileObject)) count(FileObject, *ShareAccess, ~0u);
}

NTSTATUS NTAPI IoSetFileObjectIgnoreSharing(PFILE_OBJECT FileObject) {
    DIRQL_DOOR(IoSetFileObjectIgnoreSharing);
    if (FileObject->FileObjectExtension == nullptr) return STATUS_INSUFFICIENT_RESOURCES; // not made by the I/O manager
    extension_of(FileObject).ignores_sharing = true;
    return STATUS_SUCCESS;
}

BOOLEAN NTAPI IoIsFileObjectIgnoringSharing(PFILE_OBJECT FileObject) {
    DIRQL_DOOR(IoIsFileObjectIgnoringSharing);
    return ignores_sharing(FileObject);
}
}
