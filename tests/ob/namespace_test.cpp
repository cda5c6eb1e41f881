#include "attributes.hpp"
#include "catch.hpp"
#include "support/kernel_fixture.hpp"

#include "ob/event.hpp"
#include "ob/state.hpp"

#include <string>

using namespace dirql;
using namespace dirql::test;

namespace {

struct NameFixture : KernelFixture {
    NameFixture() : KernelFixture({ob::initialize}) { seen = {}; }
};

// What a name leads to: a status, or the object, without a reference.
NTSTATUS find(std::u16string_view name, const ob::ObjectType* type = nullptr, ULONG flags = 0, void** body = nullptr) {
    void* found = nullptr;
    const NTSTATUS status = ob::reference_by_name(unicode(name), flags, 0, type, KernelMode, nullptr, &found);
    if (NT_SUCCESS(status)) ob::dereference(found);
    if (body != nullptr) *body = found;
    return status;
}

NTSTATUS create(std::u16string_view name, ULONG flags, HANDLE* handle, HANDLE root = nullptr) {
    TestObject* object = make_object(test_type, Attributes(name, flags, root).get());
    return ob::insert_object(object, test_read, handle);
}

NTSTATUS link(std::u16string_view name, std::u16string_view target) {
    return ob::create_symbolic_link(unicode(name), unicode(target));
}

std::u16string full_name(void* object) {
    alignas(OBJECT_NAME_INFORMATION) char buffer[512];
    auto* information = reinterpret_cast<POBJECT_NAME_INFORMATION>(buffer);
    ULONG needed = 0;
    if (ObQueryNameString(object, information, sizeof buffer, &needed) != STATUS_SUCCESS) return u"?";
    return std::u16string(view(information->Name));
}

} // namespace

TEST_CASE_METHOD(NameFixture, "the directories and links of every machine") {
    const auto stop = run([&] {
        for (const auto* name : {u"\\", u"\\Device", u"\\Driver", u"\\FileSystem", u"\\ObjectTypes",
                                 u"\\BaseNamedObjects", u"\\Callback", u"\\GLOBAL??", u"\\??"}) {
            CHECK(find(name, &ob::directory_type) == STATUS_SUCCESS);
        }
        void* dos = nullptr;
        void* same = nullptr;
        CHECK(find(u"\\GLOBAL??", nullptr, 0, &dos) == STATUS_SUCCESS);
        CHECK(find(u"\\??", nullptr, 0, &same) == STATUS_SUCCESS);
        CHECK(same == dos);
        CHECK(find(u"\\DosDevices", nullptr, 0, &same) == STATUS_SUCCESS);
        CHECK(same == dos);
        CHECK(find(u"\\??\\Global", nullptr, 0, &same) == STATUS_SUCCESS);
        CHECK(same == dos);
        CHECK(find(u"\\??\\GLOBALROOT\\Device", &ob::directory_type) == STATUS_SUCCESS);
        CHECK(find(u"\\??\\GLOBALROOT", &ob::directory_type) == STATUS_SUCCESS);
        CHECK(find(u"\\ObjectTypes\\Event") == STATUS_SUCCESS);
        CHECK(find(u"\\ObjectTypes\\SymbolicLink") == STATUS_SUCCESS);
        CHECK(find(u"\\DosDevices", &ob::symbolic_link_type) == STATUS_SUCCESS);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE_METHOD(NameFixture, "what names that lead nowhere return") {
    const auto stop = run([&] {
        HANDLE leaf = nullptr;
        REQUIRE(create(u"\\Leaf", 0, &leaf) == STATUS_SUCCESS);
        CHECK(find(u"") == STATUS_OBJECT_PATH_SYNTAX_BAD);
        CHECK(find(u"Device") == STATUS_OBJECT_PATH_SYNTAX_BAD);
        CHECK(find(u"\\Nothing") == STATUS_OBJECT_NAME_NOT_FOUND);
        CHECK(find(u"\\Nothing\\At\\All") == STATUS_OBJECT_PATH_NOT_FOUND);
        CHECK(find(u"\\Device\\Nothing") == STATUS_OBJECT_NAME_NOT_FOUND);
        CHECK(find(u"\\Device\\") == STATUS_OBJECT_NAME_INVALID);
        CHECK(find(u"\\\\Device") == STATUS_OBJECT_NAME_INVALID);
        CHECK(find(u"\\Device\\\\Nothing") == STATUS_OBJECT_NAME_INVALID);
        CHECK(find(u"\\Leaf\\Below") == STATUS_OBJECT_TYPE_MISMATCH);
        CHECK(find(u"\\Leaf", &ob::event_type) == STATUS_OBJECT_TYPE_MISMATCH);
        CHECK(find(u"\\Leaf", &test_type) == STATUS_SUCCESS);
        CHECK(find(u"\\???\\C") == STATUS_OBJECT_PATH_NOT_FOUND);
        ZwClose(leaf);
        CHECK(find(u"\\Leaf") == STATUS_OBJECT_NAME_NOT_FOUND);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE_METHOD(NameFixture, "in the names of types like events case counts, unless OBJ_CASE_INSENSITIVE is given") {
    const auto stop = run([&] {
        HANDLE lower = nullptr;
        HANDLE upper = nullptr;
        REQUIRE(create(u"\\Device\\thing", 0, &lower) == STATUS_SUCCESS);
        CHECK(find(u"\\Device\\THING", &test_type) == STATUS_OBJECT_NAME_NOT_FOUND);
        CHECK(find(u"\\dEVICE\\thing", &test_type) == STATUS_OBJECT_PATH_NOT_FOUND);
        CHECK(find(u"\\dEVICE\\THING", &test_type, OBJ_CASE_INSENSITIVE) == STATUS_SUCCESS);
        CHECK(create(u"\\Device\\Thing", OBJ_CASE_INSENSITIVE, &upper) == STATUS_OBJECT_NAME_COLLISION);
        REQUIRE(create(u"\\Device\\THING", 0, &upper) == STATUS_SUCCESS);
        CHECK(find(u"\\Device\\THING", &test_type) == STATUS_SUCCESS);
        ZwClose(lower);
        CHECK(find(u"\\Device\\thing", &test_type) == STATUS_OBJECT_NAME_NOT_FOUND);
        CHECK(find(u"\\Device\\thing", &test_type, OBJ_CASE_INSENSITIVE) == STATUS_SUCCESS);
        ZwClose(upper);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE_METHOD(NameFixture, "in the names of directories and links, and where any type is meant, case never counts") {
    const auto stop = run([&] {
        HANDLE thing = nullptr;
        REQUIRE(create(u"\\Device\\thing", 0, &thing) == STATUS_SUCCESS);
        REQUIRE(link(u"\\??\\Link", u"\\Device\\thing") == STATUS_SUCCESS);
        CHECK(find(u"\\dEVICE", &ob::directory_type) == STATUS_SUCCESS);
        CHECK(find(u"\\??\\lINK", &ob::symbolic_link_type) == STATUS_SUCCESS);
        CHECK(find(u"\\dosdevices\\LINK") == STATUS_SUCCESS);
        CHECK(find(u"\\DEVICE\\Thing") == STATUS_SUCCESS);
        Attributes other_case(u"\\DEVICE");
        HANDLE directory = nullptr;
        CHECK(ZwCreateDirectoryObject(&directory, DIRECTORY_ALL_ACCESS, other_case.get()) ==
              STATUS_OBJECT_NAME_COLLISION);
        CHECK(ob::delete_symbolic_link(unicode(u"\\??\\link")) == STATUS_SUCCESS);
        ZwClose(thing);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE_METHOD(NameFixture, "a name that is taken: collision, or the existing object with OBJ_OPENIF") {
    const auto stop = run([&] {
        HANDLE first = nullptr;
        HANDLE second = nullptr;
        REQUIRE(create(u"\\Taken", 0, &first) == STATUS_SUCCESS);
        CHECK(create(u"\\Taken", 0, &second) == STATUS_OBJECT_NAME_COLLISION);
        CHECK(seen.destroyed == 1);
        CHECK(create(u"\\Taken", OBJ_OPENIF, &second) == STATUS_OBJECT_NAME_EXISTS);
        CHECK(seen.destroyed == 2);
        void* a = nullptr;
        void* b = nullptr;
        CHECK(ob::reference_by_handle(first, 0, &test_type, KernelMode, &a) == STATUS_SUCCESS);
        CHECK(ob::reference_by_handle(second, 0, &test_type, KernelMode, &b) == STATUS_SUCCESS);
        CHECK(a == b);
        ob::dereference(a);
        ob::dereference(b);
        HANDLE event = nullptr;
        CHECK(ZwCreateEvent(&event, EVENT_ALL_ACCESS, Attributes(u"\\Taken").get(), NotificationEvent, FALSE) ==
              STATUS_OBJECT_NAME_COLLISION);
        CHECK(ZwCreateEvent(&event, EVENT_ALL_ACCESS, Attributes(u"\\Taken", OBJ_OPENIF).get(), NotificationEvent,
                            FALSE) == STATUS_OBJECT_TYPE_MISMATCH);
        CHECK(create(u"\\", 0, &event) == STATUS_OBJECT_NAME_COLLISION);
        CHECK(create(u"\\Taken\\Below", 0, &event) == STATUS_OBJECT_TYPE_MISMATCH);
        CHECK(create(u"\\Absent\\Below", 0, &event) == STATUS_OBJECT_PATH_NOT_FOUND);
        ZwClose(first);
        CHECK(find(u"\\Taken") == STATUS_SUCCESS);
        ZwClose(second);
        CHECK(find(u"\\Taken") == STATUS_OBJECT_NAME_NOT_FOUND);
        CHECK(seen.destroyed == 6);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE_METHOD(NameFixture, "a permanent object keeps its name until it is made temporary") {
    const auto stop = run([&] {
        HANDLE handle = nullptr;
        REQUIRE(create(u"\\Device\\Stay", OBJ_PERMANENT, &handle) == STATUS_SUCCESS);
        ZwClose(handle);
        void* body = nullptr;
        CHECK(find(u"\\Device\\Stay", &test_type, 0, &body) == STATUS_SUCCESS);
        CHECK(seen.destroyed == 0);
        HANDLE again = nullptr;
        CHECK(ob::open_by_name(Attributes(u"\\Device\\Stay").get(), &test_type, KernelMode, DELETE, nullptr, &again) ==
              STATUS_SUCCESS);
        CHECK(ZwMakeTemporaryObject(again) == STATUS_SUCCESS);
        CHECK(find(u"\\Device\\Stay") == STATUS_SUCCESS); // a handle is open
        ZwClose(again);
        CHECK(find(u"\\Device\\Stay") == STATUS_OBJECT_NAME_NOT_FOUND);
        CHECK(seen.destroyed == 1);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE_METHOD(NameFixture, "an object without handle stays its creator's") {
    const auto stop = run([&] {
        TestObject* object = make_object(test_type, Attributes(u"\\Device\\Mine", OBJ_PERMANENT).get());
        CHECK(ob::insert_object(object, 0, nullptr) == STATUS_SUCCESS);
        CHECK(ob::header_of(object).pointer_count == 2); // the creator's and the directory's
        CHECK(find(u"\\Device\\Mine") == STATUS_SUCCESS);
        ObMakeTemporaryObject(object);
        CHECK(find(u"\\Device\\Mine") == STATUS_OBJECT_NAME_NOT_FOUND);
        CHECK(ob::header_of(object).pointer_count == 1);
        ObDereferenceObject(object);
        CHECK(seen.destroyed == 1);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE_METHOD(NameFixture, "names relative to a root directory") {
    const auto stop = run([&] {
        HANDLE device = nullptr;
        HANDLE sub = nullptr;
        HANDLE leaf = nullptr;
        REQUIRE(ZwOpenDirectoryObject(&device, DIRECTORY_ALL_ACCESS, Attributes(u"\\Device").get()) == STATUS_SUCCESS);
        REQUIRE(ZwCreateDirectoryObject(&sub, DIRECTORY_ALL_ACCESS, Attributes(u"Sub", 0, device).get()) ==
                STATUS_SUCCESS);
        REQUIRE(create(u"Sub\\Leaf", 0, &leaf, device) == STATUS_SUCCESS);
        CHECK(find(u"\\Device\\Sub\\Leaf") == STATUS_SUCCESS);
        HANDLE handle = nullptr;
        CHECK(ob::open_by_name(Attributes(u"\\Leaf", 0, sub).get(), nullptr, KernelMode, 0, nullptr, &handle) ==
              STATUS_OBJECT_PATH_SYNTAX_BAD);
        CHECK(ob::open_by_name(Attributes(u"Below", 0, leaf).get(), nullptr, KernelMode, 0, nullptr, &handle) ==
              STATUS_INVALID_HANDLE);
        CHECK(ob::open_by_name(Attributes(u"x", 0, reinterpret_cast<HANDLE>(0x5550)).get(), nullptr, KernelMode, 0,
                               nullptr, &handle) == STATUS_INVALID_HANDLE);
        CHECK(ob::open_by_name(Attributes(u"", 0, sub).get(), &ob::directory_type, KernelMode, 0, nullptr, &handle) ==
              STATUS_SUCCESS);
        ZwClose(handle);
        ZwClose(leaf);
        ZwClose(sub);
        CHECK(find(u"\\Device\\Sub") == STATUS_OBJECT_NAME_NOT_FOUND);
        ZwClose(device);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE_METHOD(NameFixture, "an object keeps the directory it is in, not the other way round") {
    const auto stop = run([&] {
        const auto directories = [] { return ob::type_state(ob::current_state(), ob::directory_type).objects; };
        const std::int64_t before = directories();
        HANDLE sub = nullptr;
        HANDLE leaf = nullptr;
        REQUIRE(ZwCreateDirectoryObject(&sub, DIRECTORY_ALL_ACCESS, Attributes(u"\\Sub").get()) == STATUS_SUCCESS);
        REQUIRE(create(u"\\Sub\\Leaf", 0, &leaf) == STATUS_SUCCESS);
        void* body = nullptr;
        REQUIRE(ob::reference_by_handle(leaf, 0, &test_type, KernelMode, &body) == STATUS_SUCCESS);
        CHECK(full_name(body) == u"\\Sub\\Leaf");
        ZwClose(sub);
        CHECK(find(u"\\Sub") == STATUS_OBJECT_NAME_NOT_FOUND);
        CHECK(full_name(body) == u"...\\Leaf");
        CHECK(directories() == before + 1);
        ZwClose(leaf);
        CHECK(full_name(body).empty());
        CHECK(directories() == before); // it went with the last name in it
        ob::dereference(body);
        CHECK(seen.destroyed == 1);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE_METHOD(NameFixture, "a link is followed, unless the link itself is asked for") {
    const auto stop = run([&] {
        HANDLE leaf = nullptr;
        REQUIRE(create(u"\\Device\\Echo0", 0, &leaf) == STATUS_SUCCESS);
        CHECK(link(u"\\DosDevices\\Echo", u"\\Device\\Echo0") == STATUS_SUCCESS);
        CHECK(find(u"\\??\\Echo", &test_type) == STATUS_SUCCESS);
        CHECK(find(u"\\??\\ECHO", &test_type, OBJ_CASE_INSENSITIVE) == STATUS_SUCCESS);
        CHECK(find(u"\\GLOBAL??\\Echo", &ob::symbolic_link_type) == STATUS_SUCCESS);
        CHECK(find(u"\\??\\Echo\\file", &test_type) == STATUS_OBJECT_TYPE_MISMATCH);
        CHECK(link(u"\\??\\Echo", u"\\Device\\Echo1") == STATUS_OBJECT_NAME_COLLISION);
        CHECK(ob::delete_symbolic_link(unicode(u"\\DosDevices\\Echo")) == STATUS_SUCCESS);
        CHECK(find(u"\\??\\Echo") == STATUS_OBJECT_NAME_NOT_FOUND);
        CHECK(ob::delete_symbolic_link(unicode(u"\\DosDevices\\Echo")) == STATUS_OBJECT_NAME_NOT_FOUND);
        CHECK(ob::delete_symbolic_link(unicode(u"\\Device\\Echo0")) == STATUS_OBJECT_TYPE_MISMATCH);
        ZwClose(leaf);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE_METHOD(NameFixture, "links to links, to directories, to themselves, to nothing") {
    const auto stop = run([&] {
        HANDLE leaf = nullptr;
        REQUIRE(create(u"\\Device\\Deep", 0, &leaf) == STATUS_SUCCESS);
        CHECK(link(u"\\Chain0", u"\\Device") == STATUS_SUCCESS);
        for (char16_t i = 1; i < 40; ++i) {
            const std::u16string name = u"\\Chain" + std::u16string(1, u'0' + i);
            const std::u16string target = u"\\Chain" + std::u16string(1, u'0' + i - 1);
            REQUIRE(link(name, target) == STATUS_SUCCESS);
        }
        const auto chain = [](char16_t n) { return std::u16string(u"\\Chain") + char16_t(u'0' + n) + u"\\Deep"; };
        CHECK(find(chain(20), &test_type) == STATUS_SUCCESS);
        CHECK(find(chain(30), &test_type) == STATUS_SUCCESS); // 31 links: as many as are followed
        CHECK(find(chain(31), &test_type) == STATUS_OBJECT_NAME_NOT_FOUND);
        CHECK(link(u"\\Loop", u"\\Loop") == STATUS_SUCCESS);
        CHECK(find(u"\\Loop") == STATUS_OBJECT_NAME_NOT_FOUND);
        CHECK(link(u"\\Relative", u"Device") == STATUS_SUCCESS);
        CHECK(find(u"\\Relative") == STATUS_OBJECT_NAME_NOT_FOUND);
        CHECK(link(u"\\Slash", u"\\Device\\") == STATUS_SUCCESS);
        CHECK(find(u"\\Slash\\Deep", &test_type) == STATUS_SUCCESS);
        CHECK(find(u"\\Slash") == STATUS_OBJECT_NAME_INVALID);
        const std::u16string many(20'000, u'x');
        CHECK(link(u"\\Long", u"\\" + many) == STATUS_SUCCESS);
        CHECK(find(u"\\Long\\" + many) == STATUS_NAME_TOO_LONG);
        ZwClose(leaf);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE_METHOD(NameFixture, "a new object is put where a link in its path leads") {
    const auto stop = run([&] {
        HANDLE handle = nullptr;
        CHECK(create(u"\\DosDevices\\New", 0, &handle) == STATUS_SUCCESS);
        CHECK(find(u"\\GLOBAL??\\New", &test_type) == STATUS_SUCCESS);
        ZwClose(handle);
        CHECK(link(u"\\Alias", u"\\Device\\Real") == STATUS_SUCCESS);
        CHECK(create(u"\\Alias", 0, &handle) == STATUS_SUCCESS);
        CHECK(find(u"\\Device\\Real", &test_type) == STATUS_SUCCESS);
        ZwClose(handle);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE_METHOD(NameFixture, "an object with a parse procedure takes the rest of the name") {
    const auto stop = run([&] {
        TestObject* device = make_object(parsing_type, Attributes(u"\\Device\\Parser", OBJ_PERMANENT).get());
        REQUIRE(ob::insert_object(device, 0, nullptr) == STATUS_SUCCESS);
        REQUIRE(link(u"\\??\\P", u"\\Device\\Parser") == STATUS_SUCCESS);
        const auto rest = [] { return std::u16string_view(seen.parsed, seen.parsed_length); };
        CHECK(find(u"\\Device\\Parser") == STATUS_SUCCESS);
        CHECK(rest().empty());
        CHECK(find(u"\\Device\\Parser\\a\\b c\\") == STATUS_SUCCESS);
        CHECK(rest() == u"\\a\\b c\\");
        CHECK(find(u"\\??\\P\\file.txt") == STATUS_SUCCESS);
        CHECK(rest() == u"\\file.txt");
        CHECK(find(u"\\??\\P\\") == STATUS_SUCCESS);
        CHECK(rest() == u"\\");
        CHECK(find(u"\\Device\\Parser\\refused") == STATUS_DEVICE_BUSY);
        CHECK(find(u"\\Device\\Parser\\nothing") == STATUS_OBJECT_NAME_NOT_FOUND);
        CHECK(ob::header_of(device).pointer_count == 2);
        HANDLE handle = nullptr;
        CHECK(create(u"\\Device\\Parser\\inside", 0, &handle) == STATUS_OBJECT_TYPE_MISMATCH);
        CHECK(create(u"\\Device\\Parser", 0, &handle) == STATUS_OBJECT_NAME_COLLISION);
        ObMakeTemporaryObject(device);
        ObDereferenceObject(device);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE_METHOD(NameFixture, "ObQueryNameString") {
    const auto stop = run([&] {
        HANDLE handle = nullptr;
        REQUIRE(create(u"\\??\\Named", 0, &handle) == STATUS_SUCCESS);
        void* body = nullptr;
        REQUIRE(ob::reference_by_handle(handle, 0, nullptr, KernelMode, &body) == STATUS_SUCCESS);
        CHECK(full_name(body) == u"\\GLOBAL??\\Named");
        ULONG needed = 0;
        CHECK(ObQueryNameString(body, nullptr, 0, &needed) == STATUS_INFO_LENGTH_MISMATCH);
        CHECK(needed == sizeof(OBJECT_NAME_INFORMATION) + (15 + 1) * sizeof(WCHAR));
        alignas(8) char buffer[64];
        CHECK(ObQueryNameString(body, reinterpret_cast<POBJECT_NAME_INFORMATION>(buffer), needed - 1, &needed) ==
              STATUS_INFO_LENGTH_MISMATCH);
        REQUIRE(ObQueryNameString(body, reinterpret_cast<POBJECT_NAME_INFORMATION>(buffer), needed, &needed) ==
                STATUS_SUCCESS);
        const UNICODE_STRING& name = reinterpret_cast<POBJECT_NAME_INFORMATION>(buffer)->Name;
        CHECK(name.MaximumLength == name.Length + sizeof(WCHAR));
        CHECK(name.Buffer[name.Length / sizeof(WCHAR)] == 0);
        void* root = nullptr;
        CHECK(find(u"\\", nullptr, 0, &root) == STATUS_SUCCESS);
        CHECK(full_name(root) == u"\\");
        ob::dereference(body);
        ZwClose(handle);
        TestObject* unnamed = make_object(test_type);
        auto* information = reinterpret_cast<POBJECT_NAME_INFORMATION>(buffer);
        CHECK(ObQueryNameString(unnamed, information, sizeof buffer, &needed) == STATUS_SUCCESS);
        CHECK(needed == sizeof *information);
        CHECK(information->Name.Buffer == nullptr);
        CHECK(information->Name.MaximumLength == 0);
        ObDereferenceObject(unnamed);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE_METHOD(NameFixture, "ZwQuerySymbolicLinkObject") {
    const auto stop = run([&] {
        HANDLE handle = nullptr;
        UNICODE_STRING target = unicode(u"\\Device\\Target");
        REQUIRE(ZwCreateSymbolicLinkObject(&handle, SYMBOLIC_LINK_ALL_ACCESS, Attributes(u"\\Query").get(), &target) ==
                STATUS_SUCCESS);
        char16_t buffer[32];
        UNICODE_STRING result{0, sizeof buffer, buffer};
        ULONG length = 0;
        CHECK(ZwQuerySymbolicLinkObject(handle, &result, &length) == STATUS_SUCCESS);
        CHECK(view(result) == u"\\Device\\Target");
        CHECK(length == target.Length + sizeof(WCHAR));
        result = {0, target.Length, buffer};
        CHECK(ZwQuerySymbolicLinkObject(handle, &result, nullptr) == STATUS_SUCCESS);
        CHECK(ZwQuerySymbolicLinkObject(handle, &result, &length) == STATUS_BUFFER_TOO_SMALL);
        result = {0, 4, buffer};
        CHECK(ZwQuerySymbolicLinkObject(handle, &result, nullptr) == STATUS_BUFFER_TOO_SMALL);
        ZwClose(handle);
        UNICODE_STRING none{};
        CHECK(ZwCreateSymbolicLinkObject(&handle, SYMBOLIC_LINK_ALL_ACCESS, Attributes(u"\\None").get(), &none) ==
              STATUS_INVALID_PARAMETER);
        HANDLE directory = nullptr;
        CHECK(ZwOpenSymbolicLinkObject(&directory, GENERIC_READ, Attributes(u"\\Device").get()) ==
              STATUS_OBJECT_TYPE_MISMATCH);
    });
    CHECK(stop.kind == ke::StopKind::none);
}
