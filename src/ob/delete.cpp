// The end of objects: at once where that is allowed, else in a worker thread at PASSIVE_LEVEL.
#include "ex/pool.hpp"
#include "ke/stop.hpp"
#include "ob/capture.hpp"
#include "ob/object.hpp"
#include "ob/security.hpp"
#include "ob/state.hpp"

#include <utility>

namespace dirql::ob {
namespace {

constexpr const char* document = "Bug Check 0x18: REFERENCE_BY_POINTER";

void destroy(ObjectHeader& header) noexcept {
    if (header.type->destroy != nullptr) header.type->destroy(header.body());
    free_object(header);
}

// One worker deletes all that is there; objects that go meanwhile join the list.
void delete_deferred(ex::KernelWork&) noexcept {
    State& state = current_state();
    state.delete_queued = false;
    while (ObjectHeader* header = state.to_delete) {
        state.to_delete = header->next_to_delete;
        header->handle_count = 0;
        destroy(*header);
    }
}

void defer(ObjectHeader& header) noexcept {
    State& state = current_state();
    header.next_to_delete = state.to_delete;
    state.to_delete = &header;
    if (std::exchange(state.delete_queued, true)) return;
    ex::queue_kernel_work(state.delete_work, CriticalWorkQueue, delete_deferred);
}

} // namespace

void free_object(ObjectHeader& header) noexcept {
    const ObjectType& type = *header.type;
    --type_state(current_state(), type).objects;
    release_security(header);
    NameInfo* info = header.name_info();
    if (info != nullptr) free_pool_string(info->name);
    header.pointer_count = 0;
    ex::free_pool(info != nullptr ? static_cast<void*>(info) : &header, type.tag);
}

namespace detail {

void reference_violation(ObjectHeader& header, const char* rule) noexcept {
    ke::bug_check(REFERENCE_BY_POINTER, ke::parameter(header.type), ke::parameter(header.body()), 0,
                  static_cast<std::uint64_t>(header.pointer_count), {.rule = rule, .document = document});
}

void last_reference_gone(ObjectHeader& header, bool may_delete_now) noexcept {
    if (header.pointer_count < 0)
        reference_violation(header, "an object was dereferenced more often than it was referenced");
    if (header.handle_count != 0)
        reference_violation(header, "an object lost its last reference while handles to it are open");
    const bool passive = ke::current_processor()->irql == PASSIVE_LEVEL;
    if (may_delete_now && (passive || !header.type->delete_at_passive)) {
        destroy(header);
    } else {
        defer(header);
    }
}

} // namespace detail
} // namespace dirql::ob
