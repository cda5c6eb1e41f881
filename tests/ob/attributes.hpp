// A type of objects that records what happens to it.
#pragma once

#include "ob/handle_table.hpp"
#include "ob/namespace.hpp"
#include "ob/object.hpp"
#include "support/names.hpp"

#include <ntifs.h>

#include <string_view>

namespace dirql::test {

// What became of the objects of test_type.
struct Seen {
    unsigned opened = 0;
    unsigned closed = 0;
    unsigned destroyed = 0;
    std::int64_t handles_at_close = 0;
    KIRQL irql_at_destroy = 0;
    ke::Thread* destroyer = nullptr;
    NTSTATUS open_status = STATUS_SUCCESS; // what the open procedure returns
    bool closable = true;                  // what okay_to_close returns
    char16_t parsed[64] = {};              // the rest of the name, at the last parse
    std::size_t parsed_length = 0;
};
inline Seen seen;

inline constexpr ACCESS_MASK test_read = 0x1;
inline constexpr ACCESS_MASK test_write = 0x2;

struct TestObject {
    std::uint64_t value;
};

extern const ob::ObjectType test_type;    // with procedures; deleted at PASSIVE_LEVEL
extern const ob::ObjectType parsing_type; // its objects parse: the object itself is what is found

inline TestObject* make_object(const ob::ObjectType& type, POBJECT_ATTRIBUTES attributes = nullptr) noexcept {
    void* body = nullptr;
    return NT_SUCCESS(ob::create_object(type, attributes, KernelMode, sizeof(TestObject), &body))
               ? static_cast<TestObject*>(body)
               : nullptr;
}

inline HANDLE make_handle(const ob::ObjectType& type, POBJECT_ATTRIBUTES attributes = nullptr,
                          ACCESS_MASK access = test_read) noexcept {
    HANDLE handle = nullptr;
    TestObject* object = make_object(type, attributes);
    return object != nullptr && NT_SUCCESS(ob::insert_object(object, access, &handle)) ? handle : nullptr;
}

inline std::uint64_t value_of(HANDLE handle) noexcept { return reinterpret_cast<std::uint64_t>(handle); }

} // namespace dirql::test
