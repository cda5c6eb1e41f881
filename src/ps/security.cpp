#include "ps/security.hpp"

#include "ke/machine.hpp"
#include "ob/object.hpp"
#include "ps/ps.hpp"
#include "se/assign.hpp"
#include "se/token.hpp"

namespace dirql::ps {
namespace {

// Rights that the headers for drivers have no names for.
constexpr ACCESS_MASK process_query_limited = 0x1000;
constexpr ACCESS_MASK process_set_limited = 0x2000;
constexpr ACCESS_MASK thread_query_limited = 0x0800;
constexpr ACCESS_MASK thread_set_limited = 0x0400;
constexpr ACCESS_MASK thread_resume = 0x1000;

bool secure(void* body, const se::Token& token) noexcept {
    ob::ObjectHeader& header = ob::header_of(body);
    const ob::ObjectType& type = *header.type;
    PSECURITY_DESCRIPTOR descriptor = nullptr;
    const NTSTATUS status =
        se::assign({nullptr, nullptr, false, 0, &token, &type.mapping, KernelMode, NonPagedPoolNx, type.label_policy},
                   &descriptor);
    if (!NT_SUCCESS(status)) return false;
    header.security_descriptor = descriptor;
    header.flags &= static_cast<std::uint8_t>(~ob::object_flags::not_inserted); // it has no name to be inserted by
    return true;
}

// Null on the host's own flow, where there is none.
ke::Thread* creator() noexcept {
    const ke::Processor& processor = *ke::current_processor();
    const bool none = processor.machine->host_stands_in || processor.current == processor.idle_thread;
    return none ? nullptr : processor.current;
}

struct Implied {
    ACCESS_MASK right;
    ACCESS_MASK with;
};

template <std::size_t N> ACCESS_MASK add_implied(ACCESS_MASK granted, const Implied (&rules)[N]) noexcept {
    for (const Implied& rule : rules) {
        if ((granted & rule.right) != 0) granted |= rule.with;
    }
    return granted;
}

} // namespace

bool secure_process(ke::Process& process) noexcept { return secure(&process, se::token_of(process.se)); }

bool secure_thread(void* body, ke::Process& process, bool of_kernel) noexcept {
    ke::Thread* thread = of_kernel ? nullptr : creator();
    if (thread == nullptr || &process_of(*thread) != &process) return secure(body, se::token_of(process.se));
    SECURITY_SUBJECT_CONTEXT subject;
    se::capture_subject(thread, process, subject);
    const se::Token* token = se::effective_token(subject);
    const bool made = secure(body, token != nullptr ? *token : se::token_of(process.se));
    se::release_subject(subject);
    return made;
}

ACCESS_MASK implied_by_process(ACCESS_MASK granted) noexcept {
    return add_implied(
        granted, {{PROCESS_QUERY_INFORMATION, process_query_limited}, {PROCESS_SET_INFORMATION, process_set_limited}});
}

ACCESS_MASK implied_by_thread(ACCESS_MASK granted) noexcept {
    return add_implied(granted, {{THREAD_QUERY_INFORMATION, thread_query_limited},
                                 {THREAD_SET_INFORMATION, thread_set_limited},
                                 {THREAD_SUSPEND_RESUME, thread_resume}});
}

} // namespace dirql::ps
