// Each allocation that a function of the runtime library makes fails once: the function says so as documented, and nothing is lost.
#include "low_memory_machine.hpp"

#include "catch.hpp"

using namespace dirql;
using namespace dirql::test;

namespace {

template <class Destination, class Source>
void convert(const LowMemory& memory, NTSTATUS(NTAPI* how)(Destination*, Source, BOOLEAN),
             std::remove_const_t<std::remove_pointer_t<Source>> source, void(NTAPI* release)(Destination*)) {
    Destination result{};
    if (memory.ok(how(&result, &source, TRUE), STATUS_NO_MEMORY))
        release(&result);
    else
        CHECK((result.Buffer == nullptr && result.Length == 0 && result.MaximumLength == 0));
}

} // namespace

TEST_CASE("strings, each allocation failing once", "[low]") {
    const unsigned made = for_each_failing_allocation(in_kernel(), [](const LowMemory& memory) {
        char narrow_text[] = "narrow";
        const STRING narrow{6, 6, narrow_text};
        const UNICODE_STRING wide = unicode(u"Wide");
        convert<UNICODE_STRING, PANSI_STRING>(memory, RtlAnsiStringToUnicodeString, narrow, RtlFreeUnicodeString);
        convert<UNICODE_STRING, PCOEM_STRING>(memory, RtlOemStringToUnicodeString, narrow, RtlFreeUnicodeString);
        convert<UNICODE_STRING, PCOEM_STRING>(memory, RtlOemStringToCountedUnicodeString, narrow, RtlFreeUnicodeString);
        convert<UNICODE_STRING, PUTF8_STRING>(memory, RtlUTF8StringToUnicodeString, narrow, RtlFreeUnicodeString);
        convert<UNICODE_STRING, PCUNICODE_STRING>(memory, RtlUpcaseUnicodeString, wide, RtlFreeUnicodeString);
        convert<UNICODE_STRING, PCUNICODE_STRING>(memory, RtlDowncaseUnicodeString, wide, RtlFreeUnicodeString);
        convert<STRING, PCUNICODE_STRING>(memory, RtlUnicodeStringToAnsiString, wide, RtlFreeAnsiString);
        convert<STRING, PCUNICODE_STRING>(memory, RtlUpcaseUnicodeStringToAnsiString, wide, RtlFreeAnsiString);
        convert<STRING, PCUNICODE_STRING>(memory, RtlUnicodeStringToOemString, wide, RtlFreeOemString);
        convert<STRING, PCUNICODE_STRING>(memory, RtlUpcaseUnicodeStringToOemString, wide, RtlFreeOemString);
        convert<STRING, PCUNICODE_STRING>(memory, RtlUnicodeStringToCountedOemString, wide, RtlFreeOemString);
        convert<STRING, PCUNICODE_STRING>(memory, RtlUpcaseUnicodeStringToCountedOemString, wide, RtlFreeOemString);
        convert<STRING, PCUNICODE_STRING>(memory, RtlUnicodeStringToUTF8String, wide, RtlFreeUTF8String);
        UNICODE_STRING copy{};
        if (memory.ok(RtlDuplicateUnicodeString(RTL_DUPLICATE_UNICODE_STRING_NULL_TERMINATE, &wide, &copy),
                      STATUS_NO_MEMORY))
            RtlFreeUnicodeString(&copy);
        CHECK(copy.Buffer == nullptr);
        const bool created = RtlCreateUnicodeString(&copy, u"text") != FALSE;
        CHECK(memory.got(created ? &copy : nullptr) == (copy.Buffer != nullptr));
        if (created) RtlFreeUnicodeString(&copy);
        GUID guid{1, 2, 3, {4}};
        if (memory.ok(RtlStringFromGUID(&guid, &copy), STATUS_NO_MEMORY)) RtlFreeUnicodeString(&copy);
    });
    CHECK(made == 16);
}

namespace {

// A driver's own routines: what they cannot give is not in the table.
PVOID NTAPI give(struct _RTL_GENERIC_TABLE*, CLONG bytes) {
    return ExAllocatePool2(POOL_FLAG_PAGED, static_cast<SIZE_T>(bytes), low_tag);
}
VOID NTAPI take(struct _RTL_GENERIC_TABLE*, PVOID block) { ExFreePool(block); }
RTL_GENERIC_COMPARE_RESULTS NTAPI compare(struct _RTL_GENERIC_TABLE*, PVOID a, PVOID b) {
    const int left = *static_cast<int*>(a);
    const int right = *static_cast<int*>(b);
    return left < right ? GenericLessThan : left > right ? GenericGreaterThan : GenericEqual;
}
PVOID NTAPI give_avl(struct _RTL_AVL_TABLE*, CLONG bytes) { return give(nullptr, bytes); }
VOID NTAPI take_avl(struct _RTL_AVL_TABLE*, PVOID block) { ExFreePool(block); }
RTL_GENERIC_COMPARE_RESULTS NTAPI compare_avl(struct _RTL_AVL_TABLE*, PVOID a, PVOID b) {
    return compare(nullptr, a, b);
}

} // namespace

TEST_CASE("tables, each allocation failing once", "[low]") {
    const unsigned made = for_each_failing_allocation(in_kernel(), [](const LowMemory& memory) {
        RTL_GENERIC_TABLE splayed;
        RTL_AVL_TABLE balanced;
        RtlInitializeGenericTable(&splayed, compare, give, take, nullptr);
        RtlInitializeGenericTableAvl(&balanced, compare_avl, give_avl, take_avl, nullptr);
        ULONG held[2] = {};
        for (int i : {3, 1, 2, 5, 4}) {
            BOOLEAN fresh = 2;
            const bool first = memory.got(RtlInsertElementGenericTable(&splayed, &i, sizeof i, &fresh));
            CHECK(fresh == first);
            held[0] += first;
            fresh = 2;
            const bool second = memory.got(RtlInsertElementGenericTableAvl(&balanced, &i, sizeof i, &fresh));
            CHECK(fresh == second);
            held[1] += second;
        }
        CHECK(RtlNumberGenericTableElements(&splayed) == held[0]);
        CHECK(RtlNumberGenericTableElementsAvl(&balanced) == held[1]);
        for (int i = 1; i <= 5; ++i) {
            held[0] -= RtlDeleteElementGenericTable(&splayed, &i);
            held[1] -= RtlDeleteElementGenericTableAvl(&balanced, &i);
        }
        CHECK((held[0] == 0 && held[1] == 0));
    });
    CHECK(made == 10);
}
