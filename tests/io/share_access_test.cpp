// Share modes: IoCheckShareAccess and its like against the rule written down pair by pair, and against a list of what is open.
#include "support/random.hpp"
#include "closure_driver.hpp"

#include <cstring>
#include <memory>
#include <vector>

using namespace dirql;
using namespace dirql::test;

namespace {

// One open as the model knows it: what it does, what it lets others do; bits read 1, write 2, delete 4, as FILE_SHARE_... are.
struct Open {
    ULONG does = 0;
    ULONG lets = 0;
};

ULONG does_of(ACCESS_MASK access) {
    ULONG does = 0;
    if ((access & (FILE_READ_DATA | FILE_EXECUTE)) != 0) does |= FILE_SHARE_READ;
    if ((access & (FILE_WRITE_DATA | FILE_APPEND_DATA)) != 0) does |= FILE_SHARE_WRITE;
    if ((access & DELETE) != 0) does |= FILE_SHARE_DELETE;
    return does;
}

bool fits(const Open& one, const Open& other) {
    if (one.does == 0 || other.does == 0) return true;
    return (one.does & ~other.lets) == 0 && (other.does & ~one.lets) == 0;
}

constexpr ACCESS_MASK accesses[] = {FILE_READ_ATTRIBUTES | SYNCHRONIZE,
                                    FILE_READ_DATA,
                                    FILE_EXECUTE,
                                    FILE_WRITE_DATA,
                                    FILE_APPEND_DATA,
                                    DELETE,
                                    FILE_READ_DATA | DELETE,
                                    FILE_READ_DATA | FILE_WRITE_DATA,
                                    FILE_WRITE_DATA | DELETE,
                                    FILE_READ_DATA | FILE_WRITE_DATA | DELETE};

// Counts as SHARE_ACCESS has them, of a list.
SHARE_ACCESS counted(const std::vector<Open>& opens) {
    SHARE_ACCESS shared{};
    for (const Open& open : opens) {
        if (open.does == 0) continue;
        ++shared.OpenCount;
        shared.Readers += (open.does & 1) != 0;
        shared.Writers += (open.does & 2) != 0;
        shared.Deleters += (open.does & 4) != 0;
        shared.SharedRead += (open.lets & 1) != 0;
        shared.SharedWrite += (open.lets & 2) != 0;
        shared.SharedDelete += (open.lets & 4) != 0;
    }
    return shared;
}

bool same(const SHARE_ACCESS& a, const SHARE_ACCESS& b) { return std::memcmp(&a, &b, sizeof a) == 0; }

} // namespace

TEST_CASE("two opens fit when each lets the other do what it does: all pairs of accesses and share modes") {
    Lab lab;
    unsigned wrong = 0;
    unsigned violations = 0;
    const auto pair = [&](ACCESS_MASK first, ULONG first_share, ACCESS_MASK second, ULONG second_share) {
        SHARE_ACCESS shared;
        FILE_OBJECT a{};
        FILE_OBJECT b{};
        IoSetShareAccess(first, first_share, &a, &shared);
        const NTSTATUS status = IoCheckShareAccess(second, second_share, &b, &shared, FALSE);
        const bool expected = fits({does_of(first), first_share}, {does_of(second), second_share});
        wrong += (status == STATUS_SUCCESS) != expected;
        violations += status == STATUS_SHARING_VIOLATION;
    };
    lab.machine.run_in_kernel([&] {
        for (const ACCESS_MASK first : accesses) {
            for (const ACCESS_MASK second : accesses) {
                for (ULONG share = 0; share < 64; ++share) pair(first, share & 7, second, share >> 3);
            }
        }
    });
    CHECK(wrong == 0);
    CHECK(violations > 3000); // of 6400 pairs
}

TEST_CASE("share access follows a list of what is open, through 10,000 opens and closes") {
    Lab lab;
    std::string failure;
    unsigned refused = 0;
    lab.machine.run_in_kernel([&] {
        Random random(2026);
        struct File {
            FILE_OBJECT object;
            Open open;
        };
        std::vector<std::unique_ptr<File>> files;
        SHARE_ACCESS shared{};
        for (int step = 0; step < property_steps && failure.empty(); ++step) {
            if (!files.empty() && random.chance(2)) {
                const std::size_t at = random.below(files.size());
                IoRemoveShareAccess(&files[at]->object, &shared);
                files.erase(files.begin() + static_cast<std::ptrdiff_t>(at));
            } else {
                auto file = std::make_unique<File>();
                const ACCESS_MASK access = accesses[random.below(std::size(accesses))];
                // Generous more often than not: else nothing is ever open twice.
                file->open = {does_of(access), random.chance(3) ? static_cast<ULONG>(random.below(8)) : 7};
                bool expected = true;
                for (const auto& other : files) expected &= fits(file->open, other->open);
                const bool update = random.chance(2);
                const NTSTATUS status =
                    IoCheckShareAccess(access, file->open.lets, &file->object, &shared, static_cast<BOOLEAN>(update));
                if ((status == STATUS_SUCCESS) != expected) failure = "status at step " + std::to_string(step);
                refused += status == STATUS_SHARING_VIOLATION;
                if (status == STATUS_SUCCESS) {
                    if (!update) IoUpdateShareAccess(&file->object, &shared);
                    files.push_back(std::move(file));
                }
            }
            std::vector<Open> opens;
            for (const auto& file : files) opens.push_back(file->open);
            if (!same(shared, counted(opens))) failure = "counts at step " + std::to_string(step);
        }
    });
    CHECK(failure == "");
    CHECK(refused > 500);
}

TEST_CASE("a file that ignores sharing is neither checked nor counted; who may not write shuts no reader out") {
    Lab lab;
    Behaviour behaviour;
    SHARE_ACCESS shared{};
    NTSTATUS second = STATUS_UNSUCCESSFUL;
    NTSTATUS ignoring = STATUS_UNSUCCESSFUL;
    BOOLEAN before = TRUE;
    BOOLEAN after = FALSE;
    behaviour[IRP_MJ_CREATE] = [&](PDEVICE_OBJECT, PIRP irp) {
        PFILE_OBJECT file = IoGetCurrentIrpStackLocation(irp)->FileObject;
        if (shared.OpenCount == 0) {
            IoSetShareAccess(FILE_READ_DATA, 0, file, &shared);
        } else {
            second = IoCheckShareAccess(FILE_READ_DATA, 0, file, &shared, TRUE);
            before = IoIsFileObjectIgnoringSharing(file);
            IoSetFileObjectIgnoreSharing(file);
            after = IoIsFileObjectIgnoringSharing(file);
            ignoring = IoCheckShareAccess(FILE_READ_DATA, 0, file, &shared, TRUE);
        }
        return complete(irp, STATUS_SUCCESS, FILE_OPENED);
    };
    lab.load("share", [&](PDRIVER_OBJECT driver) { return create_device(driver, u"\\Device\\Share", behaviour); });
    lab.run([&](Process& process) {
        const File one = process.open("\\Device\\Share").value();
        const File two = process.open("\\Device\\Share").value();
    });
    CHECK(second == STATUS_SHARING_VIOLATION);
    CHECK(before == FALSE);
    CHECK(after == TRUE);
    CHECK(ignoring == STATUS_SUCCESS);
    CHECK(shared.OpenCount == 1);

    NTSTATUS made_by_hand = STATUS_SUCCESS;
    NTSTATUS reader = STATUS_UNSUCCESSFUL;
    NTSTATUS shut_out = STATUS_UNSUCCESSFUL;
    SHARE_ACCESS first{};
    lab.machine.run_in_kernel([&] {
        FILE_OBJECT a{};
        FILE_OBJECT b{};
        made_by_hand = IoSetFileObjectIgnoreSharing(&a);
        BOOLEAN may_write = FALSE;
        IoSetShareAccessEx(FILE_READ_DATA, 0, &a, &first, &may_write); // lets others read all the same
        reader = IoCheckShareAccessEx(FILE_READ_DATA, 0, &b, &first, TRUE, &may_write);
        may_write = TRUE;
        FILE_OBJECT c{};
        shut_out = IoCheckShareAccessEx(FILE_READ_DATA, 0, &c, &first, TRUE, &may_write);
    });
    CHECK(made_by_hand == STATUS_INSUFFICIENT_RESOURCES);
    CHECK(reader == STATUS_SUCCESS);
    CHECK(shut_out == STATUS_SHARING_VIOLATION);
    CHECK(first.OpenCount == 2);
    CHECK(first.SharedRead == 2);
}
