// Host code: the drivers' headers, then the C++ libraries, whose identifiers no macro of ours may be.
#include <ntifs.h>
#include <ntstrsafe.h>
#include <wdmsec.h>

#include "beside_libraries_headers.h"

TEST_CASE("lists of NT and of the libraries stand side by side") {
    LIST_ENTRY head;
    LIST_ENTRY entry;
    InitializeListHead(&head);
    InsertTailList(&head, &entry);
    REQUIRE(RemoveHeadList(&head) == &entry);
    REQUIRE(IsListEmpty(&head));
    std::vector<std::u16string> names{u"\\Device\\Echo"};
    UNICODE_STRING name{};
    name.Buffer = names.front().data();
    REQUIRE(name.Buffer[1] == u'D');
}
