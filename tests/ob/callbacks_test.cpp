// ObRegisterCallbacks: what is refused, who is called when, and what a routine can change. Desktops stand for processes here.
#include "attributes.hpp"
#include "catch.hpp"
#include "support/kernel_fixture.hpp"

#include "ob/altitude.hpp"
#include "ob/handle_callbacks.hpp"
#include "ob/state.hpp"

#include <map>
#include <random>
#include <string>
#include <vector>

using namespace dirql;
using namespace dirql::test;

namespace {

struct Call {
    int who = 0;
    bool before = false;
    OB_PRE_OPERATION_INFORMATION pre{};
    ACCESS_MASK desired = 0, original = 0;
    OB_POST_OPERATION_INFORMATION post{};
    ACCESS_MASK granted = 0;
    KIRQL irql = 0;
    bool apcs_off = false;

    bool operator==(const Call& other) const { return who == other.who && before == other.before; }
};

struct Listener {
    int id = 0;
    ACCESS_MASK clear = 0;
    ACCESS_MASK set = 0;
    PKEVENT entered = nullptr; // says that it is in, and waits
    PKEVENT leave = nullptr;
};

std::vector<Call> calls;

OB_PREOP_CALLBACK_STATUS before(PVOID context, POB_PRE_OPERATION_INFORMATION information) {
    auto& listener = *static_cast<Listener*>(context);
    auto& create = information->Parameters->CreateHandleInformation;
    Call call{};
    call.who = listener.id;
    call.before = true;
    call.pre = *information;
    call.desired = create.DesiredAccess;
    call.original = create.OriginalDesiredAccess;
    call.irql = KeGetCurrentIrql();
    call.apcs_off = KeAreApcsDisabled();
    calls.push_back(call);
    create.DesiredAccess = (create.DesiredAccess & ~listener.clear) | listener.set;
    information->CallContext = &listener.clear;
    if (listener.entered != nullptr) {
        KeSetEvent(listener.entered, 0, FALSE);
        KeWaitForSingleObject(listener.leave, Executive, KernelMode, FALSE, nullptr);
    }
    return OB_PREOP_SUCCESS;
}

VOID after(PVOID context, POB_POST_OPERATION_INFORMATION information) {
    Call call{};
    call.who = static_cast<Listener*>(context)->id;
    call.post = *information;
    if (information->Parameters != nullptr)
        call.granted = information->Parameters->CreateHandleInformation.GrantedAccess;
    calls.push_back(call);
}

VOID unsigned_after(PVOID, POB_POST_OPERATION_INFORMATION) {}

struct CallbackFixture : KernelFixture {
    CallbackFixture() : KernelFixture({ob::initialize}) {
        calls.clear();
        seen = {};
        trust(before);
        trust(after);
    }
    template <class Function> void trust(Function* routine) {
        const auto at = reinterpret_cast<std::uintptr_t>(routine);
        REQUIRE(ke::add_code_range(machine(), {at, at + 1, "signed", true}));
    }
};

struct Asked {
    std::u16string altitude = u"1000";
    USHORT version = OB_FLT_REGISTRATION_VERSION;
    USHORT count = 1;
    POBJECT_TYPE* type = ExDesktopObjectType;
    OB_OPERATION operations = OB_OPERATION_HANDLE_CREATE | OB_OPERATION_HANDLE_DUPLICATE;
    POB_PRE_OPERATION_CALLBACK before = ::before;
    POB_POST_OPERATION_CALLBACK after = ::after;
    Listener* listener = nullptr;
};

NTSTATUS listen(const Asked& asked, PVOID* handle) {
    OB_OPERATION_REGISTRATION operation{asked.type, asked.operations, asked.before, asked.after};
    OB_CALLBACK_REGISTRATION registration{asked.version, asked.count, unicode(asked.altitude), asked.listener,
                                          &operation};
    return ObRegisterCallbacks(&registration, handle);
}

NTSTATUS refused(const Asked& asked) {
    PVOID handle = nullptr;
    const NTSTATUS status = listen(asked, &handle);
    CHECK(handle == nullptr);
    return status;
}

HANDLE open(void* body, ACCESS_MASK access, ULONG attributes = 0) {
    HANDLE handle = nullptr;
    return NT_SUCCESS(ObOpenObjectByPointer(body, attributes, nullptr, access, nullptr, KernelMode, &handle)) ? handle
                                                                                                              : nullptr;
}

ACCESS_MASK granted(HANDLE handle) {
    void* body = nullptr;
    OBJECT_HANDLE_INFORMATION information{};
    REQUIRE(ob::reference_by_handle(handle, 0, nullptr, KernelMode, &body, &information) == STATUS_SUCCESS);
    ob::dereference(body);
    return information.GrantedAccess;
}

constexpr ACCESS_MASK all = 0x1FF;

} // namespace

TEST_CASE("altitudes are numbers, however long and with a fraction") {
    CHECK(ob::compare_altitudes(u"1000", u"1000") == 0);
    CHECK(ob::compare_altitudes(u"0328000.50", u"328000.5") == 0);
    CHECK(ob::compare_altitudes(u"999", u"1000") < 0);
    CHECK(ob::compare_altitudes(u"328000.5", u"328000.49") > 0);
    CHECK(ob::compare_altitudes(u"328000", u"328000.01") < 0);
    CHECK(ob::compare_altitudes(u"123456789012345678901234567891", u"123456789012345678901234567890") > 0);
    CHECK(ob::compare_altitudes(u"", u"0") == 0);
}

TEST_CASE_METHOD(CallbackFixture, "a registration that is not right is refused, and unsigned routines are") {
    const auto stop = run([&] {
        CHECK(ObGetFilterVersion() == OB_FLT_REGISTRATION_VERSION);
        POBJECT_TYPE none = nullptr;
        CHECK(refused({.version = 0}) == STATUS_INVALID_PARAMETER);
        CHECK(refused({.version = 0x200}) == STATUS_INVALID_PARAMETER);
        CHECK(refused({.count = 0}) == STATUS_INVALID_PARAMETER);
        CHECK(refused({.type = nullptr}) == STATUS_INVALID_PARAMETER);
        CHECK(refused({.type = &none}) == STATUS_INVALID_PARAMETER);
        CHECK(refused({.type = ExEventObjectType}) == STATUS_INVALID_PARAMETER);
        CHECK(refused({.operations = 0}) == STATUS_INVALID_PARAMETER);
        CHECK(refused({.operations = 4}) == STATUS_INVALID_PARAMETER);
        CHECK(refused({.before = nullptr, .after = nullptr}) == STATUS_INVALID_PARAMETER);
        CHECK(refused({.after = unsigned_after}) == STATUS_ACCESS_DENIED);
        PVOID first = nullptr;
        REQUIRE(listen({.altitude = u"328000.5"}, &first) == STATUS_SUCCESS);
        CHECK(refused({.altitude = u"0328000.50"}) == STATUS_FLT_INSTANCE_ALTITUDE_COLLISION);
        ObUnRegisterCallbacks(first);
        REQUIRE(listen({.altitude = u"0328000.50"}, &first) == STATUS_SUCCESS);
        // Two entries for one type have one altitude; nothing of them stays.
        OB_OPERATION_REGISTRATION twice[2] = {{ExDesktopObjectType, OB_OPERATION_HANDLE_CREATE, before, nullptr},
                                              {ExDesktopObjectType, OB_OPERATION_HANDLE_CREATE, before, nullptr}};
        OB_CALLBACK_REGISTRATION registration{OB_FLT_REGISTRATION_VERSION, 2, unicode(u"5"), nullptr, twice};
        PVOID second = nullptr;
        CHECK(ObRegisterCallbacks(&registration, &second) == STATUS_FLT_INSTANCE_ALTITUDE_COLLISION);
        REQUIRE(listen({.altitude = u"5"}, &second) == STATUS_SUCCESS);
        ObUnRegisterCallbacks(second);
        ObUnRegisterCallbacks(first);
        CHECK_FALSE(ob::has_handle_callbacks(ob::desktop_type));
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE_METHOD(CallbackFixture,
                 "routines are called from the highest altitude down and back up, and take rights away") {
    const auto stop = run([&] {
        Listener low{.id = 1, .clear = 0x2}, high{.id = 2, .clear = 0x4, .set = 0x80000000}, late{.id = 3};
        PVOID handles[3];
        REQUIRE(listen({.altitude = u"1000", .listener = &low}, &handles[0]) == STATUS_SUCCESS);
        REQUIRE(listen({.altitude = u"20000", .listener = &high}, &handles[1]) == STATUS_SUCCESS);
        REQUIRE(listen({.altitude = u"500", .before = nullptr, .listener = &late}, &handles[2]) == STATUS_SUCCESS);
        TestObject* desktop = make_object(ob::desktop_type);
        const HANDLE handle = open(desktop, 0xF);
        REQUIRE(calls.size() == 5);
        CHECK(calls == std::vector<Call>{{2, true}, {1, true}, {3, false}, {1, false}, {2, false}});
        const Call &first = calls[0], &second = calls[1];
        CHECK(first.pre.Operation == OB_OPERATION_HANDLE_CREATE);
        CHECK(first.pre.Object == desktop);
        CHECK(first.pre.ObjectType == *ExDesktopObjectType);
        CHECK_FALSE(first.pre.KernelHandle);
        CHECK(first.pre.CallContext == nullptr);
        CHECK(first.desired == 0xF);
        CHECK(second.desired == 0xB); // what the one above left; nothing that it added
        CHECK(second.original == 0xF);
        CHECK(first.irql == PASSIVE_LEVEL);
        CHECK(first.apcs_off);
        CHECK(calls[2].post.CallContext == nullptr);
        CHECK(calls[3].post.CallContext == &low.clear);
        CHECK(calls[4].post.CallContext == &high.clear);
        CHECK(calls[4].post.ReturnStatus == STATUS_SUCCESS);
        CHECK(calls[4].granted == 0x9);
        CHECK(granted(handle) == 0x9);
        CHECK(ZwClose(handle) == STATUS_SUCCESS);
        // The kernel's own handles are seen and are not changed.
        calls.clear();
        const HANDLE kernel = open(desktop, 0xF, OBJ_KERNEL_HANDLE);
        REQUIRE(calls.size() == 5);
        CHECK(calls[0].pre.KernelHandle);
        CHECK(calls[4].post.KernelHandle);
        CHECK(granted(kernel) == 0xF);
        ZwClose(kernel);
        // One that fails: the routines after it know, and there is nothing to read.
        calls.clear();
        HANDLE none = nullptr;
        CHECK(ob::create_handle(*machine().system_process, desktop, all, OBJ_EXCLUSIVE, ob::OpenReason::open, &none) ==
              STATUS_INVALID_PARAMETER);
        REQUIRE(calls.size() == 5);
        CHECK(calls[4].post.ReturnStatus == STATUS_INVALID_PARAMETER);
        CHECK(calls[4].post.Parameters == nullptr);
        for (PVOID registered : handles) ObUnRegisterCallbacks(registered);
        ob::dereference(desktop);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE_METHOD(CallbackFixture, "only the operations asked for are told, and the two processes of a duplicate") {
    const auto stop = run([&] {
        Listener creations{.id = 1}, duplicates{.id = 2};
        PVOID handles[2];
        REQUIRE(listen({.altitude = u"1", .operations = OB_OPERATION_HANDLE_CREATE, .listener = &creations},
                       &handles[0]) == STATUS_SUCCESS);
        REQUIRE(listen({.altitude = u"2", .operations = OB_OPERATION_HANDLE_DUPLICATE, .listener = &duplicates},
                       &handles[1]) == STATUS_SUCCESS);
        TestObject* desktop = make_object(ob::desktop_type);
        const HANDLE handle = open(desktop, 0x1);
        REQUIRE(calls.size() == 2);
        CHECK(calls[0].who == 1);
        calls.clear();
        ke::Process& process = *machine().system_process;
        HANDLE copy = nullptr;
        REQUIRE(ob::create_handle(process, desktop, 0x1, 0, ob::OpenReason::duplicate, &copy, &process) ==
                STATUS_SUCCESS);
        REQUIRE(calls.size() == 2);
        CHECK(calls[0].who == 2);
        CHECK(calls[0].pre.Operation == OB_OPERATION_HANDLE_DUPLICATE);
        for (PVOID registered : handles) ObUnRegisterCallbacks(registered);
        ZwClose(copy);
        ZwClose(handle);
        ob::dereference(desktop);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE_METHOD(CallbackFixture, "what is unregistered waits for the calls under way, and is called no more") {
    KEVENT entered, leave;
    Listener listener{.id = 1, .entered = &entered, .leave = &leave};
    PVOID handle = nullptr;
    bool gone = false, opened = false;
    const auto stop = run({[&] {
                               KeInitializeEvent(&entered, NotificationEvent, FALSE);
                               KeInitializeEvent(&leave, NotificationEvent, FALSE);
                               REQUIRE(listen({.listener = &listener}, &handle) == STATUS_SUCCESS);
                               TestObject* desktop = make_object(ob::desktop_type);
                               ZwClose(open(desktop, 0x1));
                               opened = true;
                               ZwClose(open(desktop, 0x1));
                               ob::dereference(desktop);
                           },
                           [&] {
                               LARGE_INTEGER pause;
                               pause.QuadPart = -1000;
                               while (handle == nullptr) KeDelayExecutionThread(KernelMode, FALSE, &pause);
                               KeWaitForSingleObject(&entered, Executive, KernelMode, FALSE, nullptr);
                               ObUnRegisterCallbacks(handle);
                               gone = true;
                               CHECK(calls.size() == 2); // before and after of the first open
                           },
                           [&] {
                               LARGE_INTEGER pause;
                               pause.QuadPart = -1'000'000;
                               KeDelayExecutionThread(KernelMode, FALSE, &pause);
                               CHECK_FALSE(gone);
                               CHECK_FALSE(opened);
                               KeSetEvent(&leave, 0, FALSE);
                           }});
    CHECK(stop.kind == ke::StopKind::none);
    CHECK(gone);
    CHECK(calls.size() == 2);
}

TEST_CASE_METHOD(CallbackFixture, "what an image leaves registered is found") {
    const auto stop = run([&] {
        const auto at = reinterpret_cast<std::uintptr_t>(before);
        CHECK(ob::find_handle_callback({at, at + 1, "image"}).address == nullptr);
        PVOID handle = nullptr;
        REQUIRE(listen({}, &handle) == STATUS_SUCCESS);
        CHECK(ob::find_handle_callback({at, at + 1, "image"}).routine == reinterpret_cast<const void*>(before));
        CHECK(ob::find_handle_callback({at + 1, at + 2, "image"}).address == nullptr);
        ObUnRegisterCallbacks(handle);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

// A model: who is registered by altitude. Each open is told to all of them in that order and back, and grants what they all leave.
TEST_CASE_METHOD(CallbackFixture, "random registrations agree with the model") {
    constexpr int steps = 10'000;
    const unsigned seed = GENERATE(1u, 2u);
    const auto stop = run([&] {
        std::mt19937 random(seed);
        struct Registered {
            PVOID handle;
            Listener* listener;
        };
        std::map<int, Registered, std::greater<>> model;
        Listener listeners[24];
        TestObject* desktop = make_object(ob::desktop_type);
        for (int step = 0; step < steps; ++step) {
            const int altitude = static_cast<int>(random() % std::size(listeners));
            const unsigned action = random() % 4;
            if (action == 0) {
                Listener& listener = listeners[altitude];
                if (!model.contains(altitude)) listener = {.id = altitude, .clear = 1u << random() % 9};
                std::u16string digits;
                for (const char digit : std::to_string(altitude)) digits += static_cast<char16_t>(digit);
                PVOID handle = nullptr;
                const NTSTATUS status = listen({.altitude = digits, .listener = &listener}, &handle);
                REQUIRE(status == (model.contains(altitude) ? STATUS_FLT_INSTANCE_ALTITUDE_COLLISION : STATUS_SUCCESS));
                if (NT_SUCCESS(status)) model[altitude] = {handle, &listener};
            } else if (action == 1 && model.contains(altitude)) {
                ObUnRegisterCallbacks(model[altitude].handle);
                model.erase(altitude);
            } else {
                calls.clear();
                ACCESS_MASK expected = all;
                std::vector<Call> order;
                for (const auto& [id, registered] : model) {
                    expected &= ~registered.listener->clear;
                    order.push_back({id, true});
                }
                for (auto entry = model.rbegin(); entry != model.rend(); ++entry)
                    order.push_back({entry->first, false});
                const HANDLE handle = open(desktop, all);
                REQUIRE(calls == order);
                REQUIRE(granted(handle) == expected);
                ZwClose(handle);
            }
        }
        for (const auto& [id, registered] : model) ObUnRegisterCallbacks(registered.handle);
        ob::dereference(desktop);
    });
    CHECK(stop.kind == ke::StopKind::none);
}
