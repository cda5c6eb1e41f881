#include "attributes.hpp"

#include "ke/processor.hpp"

namespace dirql::test {
namespace {

NTSTATUS opened(const ob::HandleOpen&) noexcept {
    ++seen.opened;
    return seen.open_status;
}

void closed(const ob::HandleClose& close) noexcept {
    ++seen.closed;
    seen.handles_at_close = close.handles;
}

bool okay_to_close(ke::Process*, void*, HANDLE, KPROCESSOR_MODE) noexcept { return seen.closable; }

void destroyed(void*) noexcept {
    ++seen.destroyed;
    seen.irql_at_destroy = ke::current_processor()->irql;
    seen.destroyer = ke::current_thread();
}

NTSTATUS parsed(ob::ParseRequest& request, void** result) noexcept {
    const std::u16string_view rest = view(request.remaining);
    seen.parsed_length = rest.copy(seen.parsed, std::size(seen.parsed));
    if (rest == u"\\refused") return STATUS_DEVICE_BUSY;
    if (rest == u"\\nothing") return STATUS_SUCCESS;
    ob::reference(request.object);
    *result = request.object;
    return STATUS_SUCCESS;
}

} // namespace

constinit const ob::ObjectType test_type{
    .name = u"Test",
    .index = ob::TypeIndex::test,
    .tag = 0x74736554,
    .mapping = {test_read, test_write, 0, test_read | test_write},
    .valid_access = STANDARD_RIGHTS_REQUIRED | SYNCHRONIZE | test_read | test_write,
    .delete_at_passive = true,
    .open = opened,
    .close = closed,
    .okay_to_close = okay_to_close,
    .destroy = destroyed,
};

constinit const ob::ObjectType parsing_type{
    .name = u"Parsing",
    .index = ob::TypeIndex::device,
    .tag = 0x73726150,
    .valid_access = STANDARD_RIGHTS_REQUIRED | test_read,
    .destroy = destroyed,
    .parse = parsed,
};

} // namespace dirql::test
