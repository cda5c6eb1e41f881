// Who may open whose processes and threads, and what their descriptors say.
#include "catch.hpp"
#include "process_fixture.hpp"

#include "ob/handle_table.hpp"
#include "ob/services.hpp"
#include "ps/services.hpp"
#include "rtl/sddl.hpp"
#include "se/descriptor.hpp"
#include "se/token.hpp"

#include <string>

using namespace dirql;
using namespace dirql::test;

namespace {

using se::Account;

constexpr SECURITY_INFORMATION owner_group_list =
    OWNER_SECURITY_INFORMATION | GROUP_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION;
constexpr ACCESS_MASK process_limited = 0x1000; // PROCESS_QUERY_LIMITED_INFORMATION
constexpr ACCESS_MASK thread_limited = 0x0800;
constexpr ACCESS_MASK read_process = READ_CONTROL | PROCESS_VM_READ | PROCESS_QUERY_INFORMATION | process_limited;
constexpr ACCESS_MASK execute_process = READ_CONTROL | SYNCHRONIZE | PROCESS_TERMINATE | process_limited;

OBJECT_ATTRIBUTES unnamed(ULONG flags = 0) {
    OBJECT_ATTRIBUTES attributes;
    InitializeObjectAttributes(&attributes, nullptr, flags, nullptr, nullptr);
    return attributes;
}

// A handle's rights, or why there is none. From a thread of an application.
struct Opened {
    NTSTATUS status;
    ACCESS_MASK granted;
};

Opened asked(HANDLE handle, NTSTATUS status) {
    PUBLIC_OBJECT_BASIC_INFORMATION information{};
    if (!NT_SUCCESS(status)) return {status, 0};
    status = NtQueryObject(handle, ObjectBasicInformation, &information, sizeof information, nullptr);
    NtClose(handle);
    return {status, information.GrantedAccess};
}

Opened open_process(HANDLE id, ACCESS_MASK access) {
    OBJECT_ATTRIBUTES attributes = unnamed();
    CLIENT_ID client{id, nullptr};
    HANDLE handle = nullptr;
    const NTSTATUS status = NtOpenProcess(&handle, access, &attributes, &client);
    return asked(handle, status);
}

Opened open_thread(HANDLE id, ACCESS_MASK access) {
    OBJECT_ATTRIBUTES attributes = unnamed();
    CLIENT_ID client{nullptr, id};
    HANDLE handle = nullptr;
    const NTSTATUS status = NtOpenThread(&handle, access, &attributes, &client);
    return asked(handle, status);
}

NTSTATUS enable(ULONG privilege) {
    HANDLE token = nullptr;
    NTSTATUS status = NtOpenProcessToken(NtCurrentProcess(), TOKEN_ADJUST_PRIVILEGES, &token);
    if (!NT_SUCCESS(status)) return status;
    TOKEN_PRIVILEGES privileges{1, {{{privilege, 0}, SE_PRIVILEGE_ENABLED}}};
    status = NtAdjustPrivilegesToken(token, FALSE, &privileges, 0, nullptr, nullptr);
    NtClose(token);
    return status;
}

bool is(const Opened& opened, ACCESS_MASK granted) {
    return opened.status == STATUS_SUCCESS && opened.granted == granted;
}
bool denied(const Opened& opened) { return opened.status == STATUS_ACCESS_DENIED; }

std::u16string text_of(PVOID object, SECURITY_INFORMATION which) {
    HANDLE handle = nullptr;
    REQUIRE(ObOpenObjectByPointer(object, OBJ_KERNEL_HANDLE, nullptr, MAXIMUM_ALLOWED, nullptr, KernelMode, &handle) ==
            STATUS_SUCCESS);
    alignas(8) std::byte buffer[1024];
    ULONG needed = 0;
    REQUIRE(ZwQuerySecurityObject(handle, which, buffer, sizeof buffer, &needed) == STATUS_SUCCESS);
    CHECK(ZwClose(handle) == STATUS_SUCCESS);
    std::u16string text(1000, u' ');
    const auto written = rtl::write_sddl(buffer, 0xF, text.data(), text.size());
    text.resize(NT_SUCCESS(written.status) ? written.needed : 0);
    return text;
}

struct SecurityFixture : ProcessFixture {
    ke::Process* make(Account account) {
        ke::Process* process = nullptr;
        ps::ProcessStart start{"Someone"};
        start.account = &account;
        in_kernel([&] { REQUIRE(ps::create_process(machine(), start, process) == STATUS_SUCCESS); });
        return process;
    }
    void in_kernel(const std::function<void()>& body) { CHECK(run(body).kind == ke::StopKind::none); }
    void as(ke::Process& process, const std::function<void()>& body) {
        CHECK(run_as_application(process, {body}).kind == ke::StopKind::none);
    }
    static HANDLE id_of(const ke::Process& process) { return reinterpret_cast<HANDLE>(process.id); }
};

} // namespace

TEST_CASE_METHOD(SecurityFixture, "processes have the descriptors of whom they are made for") {
    ke::Process* user = make(Account::user);
    ke::Process* administrator = make(Account::administrator);
    in_kernel([&] {
        const std::u16string list = text_of(user, owner_group_list);
        CHECK(list.find(u"(A;;0x1fffff;;;SY)") != list.npos);
        CHECK(text_of(user, LABEL_SECURITY_INFORMATION) == u"S:(ML;;NWNR;;;ME)");
        CHECK(text_of(administrator, LABEL_SECURITY_INFORMATION) == u"S:(ML;;NWNR;;;HI)");
        CHECK(text_of(PsInitialSystemProcess, LABEL_SECURITY_INFORMATION) == u"S:(ML;;NWNR;;;SI)");
        CHECK(text_of(administrator, OWNER_SECURITY_INFORMATION) == u"O:BA");
        CHECK(text_of(PsInitialSystemProcess, owner_group_list) == u"O:BAG:SYD:(A;;0x1fffff;;;SY)(A;;0x121411;;;BA)");
        CHECK(text_of(PsGetCurrentThread(), LABEL_SECURITY_INFORMATION) == u"S:(ML;;NWNR;;;SI)");
        CHECK(text_of(administrator, SACL_SECURITY_INFORMATION).empty()); // it audits nothing
    });
    dereference(user);
    dereference(administrator);
}

TEST_CASE_METHOD(SecurityFixture, "processes are opened by what their descriptors and labels allow") {
    ke::Process* user = make(Account::user);
    ke::Process* other_user = make(Account::user);
    ke::Process* administrator = make(Account::administrator);
    ke::Process* service = make(Account::system);
    ke::Process& system = *machine().system_process;
    struct {
        Opened all, maximum, nothing, query, write, others;
    } own{};
    struct {
        Opened read, write, limited, maximum, system;
    } up{};
    as(*user, [&] {
        own.all = open_process(id_of(*user), PROCESS_ALL_ACCESS);
        own.maximum = open_process(id_of(*user), MAXIMUM_ALLOWED);
        own.nothing = open_process(id_of(*user), 0);
        own.query = open_process(id_of(*user), PROCESS_QUERY_INFORMATION);
        own.write = open_process(id_of(*user), PROCESS_SET_INFORMATION);
        own.others = open_process(id_of(*other_user), GENERIC_ALL);
        up.read = open_process(id_of(*administrator), PROCESS_VM_READ);
        up.write = open_process(id_of(*administrator), PROCESS_VM_WRITE);
        up.limited = open_process(id_of(*administrator), process_limited);
        up.maximum = open_process(id_of(*administrator), MAXIMUM_ALLOWED);
        up.system = open_process(id_of(system), process_limited);
    });
    CHECK(is(own.all, PROCESS_ALL_ACCESS));
    CHECK(is(own.maximum, PROCESS_ALL_ACCESS));
    CHECK(denied(own.nothing));
    CHECK(is(own.query, PROCESS_QUERY_INFORMATION | process_limited));
    CHECK(is(own.write, PROCESS_SET_INFORMATION | 0x2000));
    CHECK(is(own.others, PROCESS_ALL_ACCESS));
    CHECK(denied(up.read));
    CHECK(denied(up.write));
    CHECK(is(up.limited, process_limited));
    CHECK(is(up.maximum, execute_process));
    CHECK(denied(up.system));

    // The logon session may read and execute; what is above stays closed.
    struct {
        Opened read, write, query_system, limited_system, service;
    } down{};
    struct {
        NTSTATUS enabled;
        Opened all, maximum, system, missing;
    } debug{};
    as(*administrator, [&] {
        down.read = open_process(id_of(*user), GENERIC_READ | GENERIC_EXECUTE);
        down.write = open_process(id_of(*user), PROCESS_VM_WRITE);
        down.query_system = open_process(id_of(system), PROCESS_QUERY_INFORMATION);
        down.limited_system = open_process(id_of(system), process_limited);
        down.service = open_process(id_of(*service), PROCESS_TERMINATE);
        debug.enabled = enable(SE_DEBUG_PRIVILEGE);
        debug.all = open_process(id_of(*user), PROCESS_ALL_ACCESS);
        debug.maximum = open_process(id_of(system), MAXIMUM_ALLOWED);
        debug.system = open_process(id_of(system), PROCESS_VM_READ);
        debug.missing = open_process(reinterpret_cast<HANDLE>(0x7FFC), PROCESS_VM_READ);
    });
    CHECK(is(down.read, read_process | execute_process));
    CHECK(denied(down.write));
    CHECK(denied(down.query_system));
    CHECK(is(down.limited_system, process_limited));
    CHECK(is(down.service, PROCESS_TERMINATE));
    CHECK(debug.enabled == STATUS_SUCCESS);
    CHECK(is(debug.all, PROCESS_ALL_ACCESS));
    CHECK(is(debug.maximum, PROCESS_ALL_ACCESS));
    CHECK(is(debug.system, PROCESS_VM_READ));
    CHECK(debug.missing.status == STATUS_INVALID_CID);

    for (ke::Process* process : {user, other_user, administrator, service}) dereference(process);
}

TEST_CASE_METHOD(SecurityFixture, "the kernel's opens are not checked, whoever's thread it is") {
    ke::Process* user = make(Account::user);
    NTSTATUS status = STATUS_PENDING;
    NTSTATUS by_pointer[2] = {}; // for the kernel, for the application
    as(*user, [&] {
        (void)ke::system_service([&] {
            OBJECT_ATTRIBUTES attributes = unnamed(OBJ_KERNEL_HANDLE);
            CLIENT_ID client{id_of(*machine().system_process), nullptr};
            HANDLE handle = nullptr;
            status = ZwOpenProcess(&handle, PROCESS_ALL_ACCESS, &attributes, &client);
            if (NT_SUCCESS(status)) ZwClose(handle);
            for (const KPROCESSOR_MODE mode : {KernelMode, UserMode}) {
                by_pointer[mode == UserMode] = ObOpenObjectByPointer(PsInitialSystemProcess, OBJ_KERNEL_HANDLE, nullptr,
                                                                     PROCESS_VM_READ, *PsProcessType, mode, &handle);
                if (NT_SUCCESS(by_pointer[mode == UserMode])) ZwClose(handle);
            }
            return STATUS_SUCCESS;
        });
    });
    CHECK(status == STATUS_SUCCESS);
    CHECK(by_pointer[0] == STATUS_SUCCESS);
    CHECK(by_pointer[1] == STATUS_ACCESS_DENIED);
    dereference(user);
}

TEST_CASE_METHOD(SecurityFixture, "threads are opened by what their descriptors and labels allow") {
    ke::Process* user = make(Account::user);
    ke::Process* administrator = make(Account::administrator);
    struct {
        Opened all, query, resume, set;
    } own{};
    struct {
        Opened read, limited, write, debug;
    } up{};
    const auto ask = [](HANDLE id, auto& answers) {
        answers.read = open_thread(id, THREAD_GET_CONTEXT);
        answers.limited = open_thread(id, thread_limited);
        answers.write = open_thread(id, THREAD_TERMINATE);
    };
    as(*administrator, [&] {
        HANDLE own_id = nullptr;
        (void)ke::system_service([&] {
            own_id = PsGetCurrentThreadId();
            return STATUS_SUCCESS;
        });
        own.all = open_thread(own_id, THREAD_ALL_ACCESS);
        own.query = open_thread(own_id, THREAD_QUERY_INFORMATION);
        own.resume = open_thread(own_id, THREAD_SUSPEND_RESUME);
        own.set = open_thread(own_id, THREAD_SET_INFORMATION);
        // In a thread of the user meanwhile.
        ke::Thread* asking = nullptr;
        struct Context {
            HANDLE id;
            decltype(up)* answers;
            decltype(ask)* question;
        } context{own_id, &up, &ask};
        (void)ke::system_service([&] {
            asking = ps::create_application_thread(
                machine(), *user, "Asking",
                [](void* data) {
                    auto& c = *static_cast<Context*>(data);
                    (*c.question)(c.id, *c.answers);
                    c.answers->debug = {enable(SE_DEBUG_PRIVILEGE), 0};
                },
                &context);
            KeWaitForSingleObject(asking, Executive, KernelMode, FALSE, nullptr);
            ob::dereference(asking);
            return STATUS_SUCCESS;
        });
    });
    CHECK(is(own.all, THREAD_ALL_ACCESS));
    CHECK(is(own.query, THREAD_QUERY_INFORMATION | thread_limited));
    CHECK(is(own.resume, THREAD_SUSPEND_RESUME | 0x1000));
    CHECK(is(own.set, THREAD_SET_INFORMATION | 0x0400));
    CHECK(denied(up.read));
    CHECK(is(up.limited, thread_limited));
    CHECK(denied(up.write));
    CHECK(up.debug.status == STATUS_NOT_ALL_ASSIGNED);
    dereference(user);
    dereference(administrator);
}

TEST_CASE_METHOD(SecurityFixture, "a process's descriptor is changed through its handle, by who may") {
    ke::Process* user = make(Account::user);
    ke::Process* first = make(Account::administrator);
    ke::Process* second = make(Account::administrator);
    NTSTATUS set = STATUS_PENDING;
    NTSTATUS without_right = STATUS_PENDING;
    NTSTATUS relabelled[2] = {};
    NTSTATUS owner = STATUS_PENDING;
    NTSTATUS audit = STATUS_PENDING;
    Opened before{}, after{};
    PSECURITY_DESCRIPTOR high_label = nullptr, low_label = nullptr;
    in_kernel([&] {
        REQUIRE(se::make_descriptor(u"S:(ML;;NW;;;HI)", rtl::Sddl::full, &high_label) == STATUS_SUCCESS);
        REQUIRE(se::make_descriptor(u"S:(ML;;NW;;;LW)", rtl::Sddl::full, &low_label) == STATUS_SUCCESS);
    });
    as(*first, [&] { before = open_process(id_of(*user), PROCESS_QUERY_INFORMATION); });
    as(*user, [&] {
        OBJECT_ATTRIBUTES attributes = unnamed();
        CLIENT_ID client{id_of(*user), nullptr};
        HANDLE strong = nullptr, weak = nullptr;
        if (!NT_SUCCESS(NtOpenProcess(&strong, PROCESS_ALL_ACCESS, &attributes, &client))) return;
        if (!NT_SUCCESS(NtOpenProcess(&weak, PROCESS_QUERY_INFORMATION, &attributes, &client))) return;
        alignas(8) std::byte list[sizeof(ACL)];
        auto* nobody = reinterpret_cast<PACL>(list);
        *nobody = {ACL_REVISION, 0, sizeof(ACL), 0, 0};
        SECURITY_DESCRIPTOR closed{};
        closed.Revision = 1;
        closed.Control = SE_DACL_PRESENT;
        closed.Dacl = nobody;
        without_right = NtSetSecurityObject(weak, DACL_SECURITY_INFORMATION, &closed);
        set = NtSetSecurityObject(strong, DACL_SECURITY_INFORMATION, &closed);
        audit = NtSetSecurityObject(strong, SACL_SECURITY_INFORMATION, &closed);
        const auto copy = [](const void* from) { // into the application's memory
            struct Block {
                alignas(8) std::byte bytes[128];
            } block{};
            const auto* bytes = static_cast<const std::byte*>(from);
            std::copy_n(bytes, RtlLengthSecurityDescriptor(const_cast<void*>(from)), block.bytes);
            return block;
        };
        auto up = copy(high_label);
        auto down = copy(low_label);
        relabelled[0] = NtSetSecurityObject(strong, LABEL_SECURITY_INFORMATION, &up);
        relabelled[1] = NtSetSecurityObject(strong, LABEL_SECURITY_INFORMATION, &down);
        SECURITY_DESCRIPTOR given{};
        given.Revision = 1;
        owner = NtSetSecurityObject(strong, OWNER_SECURITY_INFORMATION, &given);
        NtClose(strong);
        NtClose(weak);
    });
    as(*second, [&] { after = open_process(id_of(*user), PROCESS_QUERY_INFORMATION); });
    CHECK(before.status == STATUS_SUCCESS);
    CHECK(without_right == STATUS_ACCESS_DENIED);
    CHECK(set == STATUS_SUCCESS);
    CHECK(audit == STATUS_ACCESS_DENIED); // needs ACCESS_SYSTEM_SECURITY
    CHECK(relabelled[0] == STATUS_PRIVILEGE_NOT_HELD);
    CHECK(relabelled[1] == STATUS_SUCCESS);
    CHECK(owner == STATUS_INVALID_OWNER);
    CHECK(denied(after));
    in_kernel([&] {
        CHECK(text_of(user, LABEL_SECURITY_INFORMATION) == u"S:(ML;;NW;;;LW)");
        CHECK(text_of(user, DACL_SECURITY_INFORMATION) == u"D:");
        se::free_descriptor(high_label);
        se::free_descriptor(low_label);
    });
    for (ke::Process* process : {user, first, second}) dereference(process);
}

TEST_CASE_METHOD(SecurityFixture, "drivers' threads have the descriptor that is asked for, or their creator's") {
    in_kernel([&] {
        PSECURITY_DESCRIPTOR wanted = nullptr;
        REQUIRE(se::make_descriptor(u"O:SYG:SYD:(A;;GR;;;WD)", rtl::Sddl::full, &wanted) == STATUS_SUCCESS);
        OBJECT_ATTRIBUTES attributes = unnamed(OBJ_KERNEL_HANDLE);
        attributes.SecurityDescriptor = wanted;
        for (POBJECT_ATTRIBUTES given : {&attributes, POBJECT_ATTRIBUTES{nullptr}}) {
            HANDLE handle = nullptr;
            REQUIRE(PsCreateSystemThread(
                        &handle, THREAD_ALL_ACCESS, given, nullptr, nullptr, [](PVOID) {}, nullptr) == STATUS_SUCCESS);
            PVOID thread = nullptr;
            REQUIRE(ObReferenceObjectByHandle(handle, 0, *PsThreadType, KernelMode, &thread, nullptr) ==
                    STATUS_SUCCESS);
            CHECK(
                text_of(thread, owner_group_list) ==
                (given != nullptr ? u"O:SYG:SYD:(A;;SWDTRC;;;WD)" : u"O:BAG:SYD:(A;;0x1fffff;;;SY)(A;;0x120948;;;BA)"));
            CHECK(text_of(thread, LABEL_SECURITY_INFORMATION) == u"S:(ML;;NWNR;;;SI)");
            CHECK(ZwWaitForSingleObject(handle, FALSE, nullptr) == STATUS_SUCCESS);
            ObDereferenceObject(thread);
            CHECK(ZwClose(handle) == STATUS_SUCCESS);
        }
        se::free_descriptor(wanted);
    });
}

// A thread that acts for a client makes threads that are the client's.
TEST_CASE_METHOD(SecurityFixture, "a thread's descriptor is by whom its creator acts for") {
    ke::Process* process = make(Account::administrator);
    std::u16string owners[2];
    as(*process, [&] {
        (void)ke::system_service([&] {
            for (std::u16string& owner : owners) {
                se::Token* user = nullptr;
                REQUIRE(se::make_account_token(Account::user, &user) == STATUS_SUCCESS);
                if (&owner == &owners[1])
                    se::impersonate(*ke::current_thread(), {user, SecurityImpersonation, false, false});
                ke::Thread* thread = ps::create_application_thread(
                    machine(), *process, "Second", [](void*) {}, nullptr);
                se::drop_impersonation(*ke::current_thread());
                const ke::KernelModeCaller caller;
                owner = text_of(thread, OWNER_SECURITY_INFORMATION | LABEL_SECURITY_INFORMATION);
                KeWaitForSingleObject(thread, Executive, KernelMode, FALSE, nullptr);
                ob::dereference(thread);
                ob::dereference(user);
            }
            return STATUS_SUCCESS;
        });
    });
    CHECK(owners[0] == u"O:BAS:(ML;;NWNR;;;HI)");
    CHECK(owners[1].find(u"S:(ML;;NWNR;;;ME)") != std::u16string::npos);
    CHECK(owners[1].find(u"O:BA") == std::u16string::npos);
    dereference(process);
}
