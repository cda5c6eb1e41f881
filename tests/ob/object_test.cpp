#include "attributes.hpp"
#include "catch.hpp"
#include "support/kernel_fixture.hpp"

#include "ke/irql.hpp"
#include "ke/wait.hpp"
#include "ob/event.hpp"
#include "ob/state.hpp"
#include "support/pause.hpp"

using namespace dirql;
using namespace dirql::test;

namespace {

struct ObjectFixture : KernelFixture {
    ObjectFixture() : KernelFixture({ob::initialize}) { seen = {}; }
    std::int64_t objects(const ob::ObjectType& type) { return ob::type_state(ob::state_of(machine()), type).objects; }
};

} // namespace

TEST_CASE_METHOD(ObjectFixture, "an object lives until its last reference is gone") {
    const auto stop = run([&] {
        TestObject* object = make_object(test_type);
        REQUIRE(object != nullptr);
        CHECK(object->value == 0);
        CHECK(objects(test_type) == 1);
        CHECK(ObReferenceObject(object) == 2);
        CHECK(ObDereferenceObject(object) == 1);
        CHECK(seen.destroyed == 0);
        CHECK(ObDereferenceObject(object) == 0);
        CHECK(seen.destroyed == 1);
        CHECK(objects(test_type) == 0);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE_METHOD(ObjectFixture, "at DISPATCH_LEVEL deletion is put off to PASSIVE_LEVEL, where the type asks for it") {
    const auto stop = run([&] {
        TestObject* first = make_object(test_type);
        TestObject* second = make_object(test_type);
        const KIRQL old = KeRaiseIrqlToDpcLevel();
        ObDereferenceObject(first);
        ObDereferenceObject(second);
        CHECK(seen.destroyed == 0);
        KeLowerIrql(old);
        sleep_us(1000);
        CHECK(seen.destroyed == 2);
        CHECK(seen.irql_at_destroy == PASSIVE_LEVEL);
        CHECK(objects(test_type) == 0);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE_METHOD(ObjectFixture, "a type that does not care is deleted at DISPATCH_LEVEL at once") {
    const auto stop = run([&] {
        const std::int64_t before = objects(ob::event_type);
        TestObject* event = make_object(ob::event_type);
        const KIRQL old = KeRaiseIrqlToDpcLevel();
        ObDereferenceObject(event);
        CHECK(objects(ob::event_type) == before);
        KeLowerIrql(old);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE_METHOD(ObjectFixture,
                 "ObDereferenceObjectDeferDelete leaves the deletion to another thread, at PASSIVE_LEVEL too") {
    const auto stop = run([&] {
        TestObject* object = make_object(test_type);
        ObDereferenceObjectDeferDelete(object);
        sleep_us(1000);
        CHECK(seen.destroyed == 1);
        CHECK(seen.destroyer != ke::current_thread());
        object = make_object(test_type);
        ObDereferenceObject(object);
        CHECK(seen.destroyer == ke::current_thread());
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE_METHOD(ObjectFixture, "an object dereferenced once too often is bug check 0x18") {
    TestObject* object = nullptr;
    SECTION("with an open handle: the handle's reference is gone") {
        const auto stop = run([&] {
            object = make_object(test_type);
            HANDLE handle;
            (void)ob::insert_object(object, test_read, &handle);
            ObDereferenceObject(object);
        });
        CHECK(stop.kind == ke::StopKind::bug_check);
        CHECK(stop.code == REFERENCE_BY_POINTER);
        CHECK(stop.parameters[0] == ke::parameter(&test_type));
        CHECK(stop.parameters[1] == ke::parameter(object));
    }
    SECTION("while its deletion waits") {
        const auto stop = run([&] {
            object = make_object(test_type);
            KeRaiseIrqlToDpcLevel();
            ObDereferenceObject(object);
            ObDereferenceObject(object);
        });
        CHECK(stop.code == REFERENCE_BY_POINTER);
        CHECK(stop.parameters[1] == ke::parameter(object));
        CHECK(stop.parameters[3] == static_cast<std::uint64_t>(-1));
    }
    SECTION("or referenced when it has no reference any more") {
        const auto stop = run([&] {
            object = make_object(test_type);
            KeRaiseIrqlToDpcLevel();
            ObDereferenceObject(object);
            ObReferenceObject(object);
        });
        CHECK(stop.code == REFERENCE_BY_POINTER);
    }
}

TEST_CASE_METHOD(ObjectFixture,
                 "a reference by pointer checks the type for user mode, and never gives out links by it") {
    const auto stop = run([&] {
        TestObject* object = make_object(test_type);
        CHECK(ObReferenceObjectByPointer(object, 0, const_cast<POBJECT_TYPE>(&test_type), UserMode) == STATUS_SUCCESS);
        CHECK(ObReferenceObjectByPointer(object, 0, *ExEventObjectType, UserMode) == STATUS_OBJECT_TYPE_MISMATCH);
        CHECK(ObReferenceObjectByPointer(object, 0, nullptr, UserMode) == STATUS_OBJECT_TYPE_MISMATCH);
        CHECK(ObReferenceObjectByPointer(object, 0, *ExEventObjectType, KernelMode) == STATUS_SUCCESS);
        CHECK(ObReferenceObjectByPointer(object, 0, const_cast<POBJECT_TYPE>(&ob::symbolic_link_type), KernelMode) ==
              STATUS_OBJECT_TYPE_MISMATCH);
        CHECK(ob::header_of(object).pointer_count == 3);
        CHECK(ObGetObjectType(object) == &test_type);
        for (int i = 0; i < 3; ++i) ObDereferenceObject(object);
        CHECK(seen.destroyed == 1);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE_METHOD(ObjectFixture, "attributes are checked before an object is made") {
    const auto stop = run([&] {
        void* body = nullptr;
        Attributes odd(u"\\Odd");
        odd.get()->ObjectName->Length -= 1;
        CHECK(ob::create_object(test_type, odd.get(), KernelMode, 8, &body) == STATUS_OBJECT_NAME_INVALID);
        Attributes wrong_size(u"\\Size");
        wrong_size.get()->Length = 8;
        CHECK(ob::create_object(test_type, wrong_size.get(), KernelMode, 8, &body) == STATUS_INVALID_PARAMETER);
        CHECK(ob::create_object(test_type, Attributes(u"\\Bits", 0x80000000).get(), KernelMode, 8, &body) ==
              STATUS_INVALID_PARAMETER);
        CHECK(ob::create_object(test_type, Attributes(u"\\Permanent", OBJ_PERMANENT).get(), UserMode, 8, &body) !=
              STATUS_SUCCESS);
        CHECK(objects(test_type) == 0);
    });
    CHECK(stop.kind == ke::StopKind::none);
}
