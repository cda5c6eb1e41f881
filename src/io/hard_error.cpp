// Hard errors: dialogs that tell an application's user of a device's trouble. A machine has no user: a dialog is a line of
// debug output, and where it asks, the answer is Cancel.
#include "ex/pool.hpp"
#include "ex/work_queue.hpp"
#include "io/irp.hpp"
#include "io/associated.hpp"
#include "io/state.hpp"
#include "ke/apc.hpp"
#include "ke/debug_print.hpp"
#include "ke/exports/io_queue.hpp"
#include "ob/object.hpp"
#include "rtl/format.hpp"

#include <cstdarg>
#include <cstring>

namespace dirql::io {
namespace {

constexpr ULONG hard_error_tag = ex::pool_tag("IoHe");
constexpr ULONG most_informational = 25; // waiting at once

// The title is the application's, or the system's.
void show_dialog(const ke::Thread* thread, const char* format, ...) noexcept {
    char text[512];
    rtl::TextSink<char> sink(text, sizeof text);
    const auto put = [&](const char* words, ...) {
        std::va_list arguments;
        va_start(arguments, words);
        rtl::format_message(sink, words, arguments);
        va_end(arguments);
    };
    put("*** %s - System Error: ", thread == nullptr || thread->is_system != 0
                                       ? "System Process"
                                       : static_cast<const char*>(thread->process->name));
    std::va_list arguments;
    va_start(arguments, format);
    rtl::format_message(sink, format, arguments);
    va_end(arguments);
    put("\n");
    ke::debug_print({text, sink.stored()});
}

// One of IoRaiseInformationalHardError, until a worker has shown it.
struct Informational {
    LIST_ENTRY entry; // State::hard_error_list
    ex::KernelWork work;
    NTSTATUS status;
    ke::Thread* thread; // referenced, or null
    USHORT length;
    WCHAR text[];
};

UNICODE_STRING text_of(Informational& error) noexcept { return {error.length, error.length, error.text}; }

bool is_waiting(NTSTATUS status, const UNICODE_STRING& text) noexcept {
    LIST_ENTRY& list = state().hard_error_list;
    for (LIST_ENTRY* e = list.Flink; e != &list; e = e->Flink) {
        auto* error = CONTAINING_RECORD(e, Informational, entry);
        if (error->status == status && error->length == text.Length &&
            (text.Length == 0 || std::memcmp(error->text, text.Buffer, text.Length) == 0))
            return true;
    }
    return false;
}

void show_informational(ex::KernelWork& work) {
    auto* error = CONTAINING_RECORD(&work, Informational, work);
    UNICODE_STRING text = text_of(*error);
    show_dialog(error->thread, "0x%08X %wZ", error->status, &text);
    RemoveEntryList(&error->entry);
    --state().hard_errors;
    if (error->thread != nullptr) ob::dereference(error->thread);
    ex::free_pool(error, hard_error_tag);
}

bool queue_informational(NTSTATUS status, const UNICODE_STRING& text, ke::Thread* thread) noexcept {
    State& io = state();
    if (io.hard_errors == most_informational || is_waiting(status, text)) return false;
    auto* error = static_cast<Informational*>(
        ex::allocate_pool(NonPagedPoolNx, sizeof(Informational) + text.Length, hard_error_tag, ex::Fill::zero));
    if (error == nullptr) return false;
    error->status = status;
    error->thread = thread;
    error->length = text.Length;
    if (text.Length != 0) std::memcpy(error->text, text.Buffer, text.Length);
    if (thread != nullptr) ob::reference(thread);
    ++io.hard_errors;
    InsertTailList(&io.hard_error_list, &error->entry);
    ex::queue_kernel_work(error->work, DelayedWorkQueue, show_informational);
    return true;
}

void complete_without_data(PIRP irp) noexcept {
    irp->IoStatus.Information = 0;
    complete_request(irp, IO_DISK_INCREMENT);
}

// A dialog that asks, in the thread whose request has failed.
struct Question {
    KAPC apc;
    ex::KernelWork work;
    PIRP irp;
    PDEVICE_OBJECT device;
};

void ask(Question* question) noexcept {
    const Question asked = *question;
    ex::free_pool(question, hard_error_tag);
    show_dialog(ke::current_thread(), "0x%08X, answered with Cancel", asked.irp->IoStatus.Status);
    complete_without_data(asked.irp);
}

void NTAPI keep_question(PKAPC, ke::NormalRoutine*, PVOID*, PVOID*, PVOID*) {}
void NTAPI ask_in_thread(PVOID context, PVOID, PVOID) { ask(static_cast<Question*>(context)); }
void ask_in_worker(ex::KernelWork& work) { ask(CONTAINING_RECORD(&work, Question, work)); }

// Its thread has ended meanwhile: nobody can be asked.
void NTAPI forget_question(PKAPC apc) {
    auto* question = CONTAINING_RECORD(apc, Question, apc);
    PIRP irp = question->irp;
    ex::free_pool(question, hard_error_tag);
    complete_without_data(irp);
}

} // namespace
} // namespace dirql::io

using namespace dirql;
using namespace dirql::io;

extern "C" {

BOOLEAN NTAPI IoSetThreadHardErrorMode(BOOLEAN EnableHardErrors) {
    DIRQL_DOOR(IoSetThreadHardErrorMode);
    bool& disabled = ke::current_thread()->io.hard_errors_disabled;
    const bool were_enabled = !disabled;
    disabled = EnableHardErrors == FALSE;
    return were_enabled;
}

BOOLEAN NTAPI IoRaiseInformationalHardError(NTSTATUS ErrorStatus, PUNICODE_STRING String, PKTHREAD Thread) {
    DIRQL_DOOR(IoRaiseInformationalHardError);
    ke::Thread* thread = Thread == nullptr ? nullptr : ke::thread_of(Thread);
    if (thread != nullptr && thread->io.hard_errors_disabled) return FALSE;
    return queue_informational(ErrorStatus, String == nullptr ? UNICODE_STRING{} : *String, thread);
}

// Of a system thread a worker asks: the thread itself may be what the dialog would wait for.
VOID NTAPI IoRaiseHardError(PIRP Irp, PVPB Vpb, PDEVICE_OBJECT RealDeviceObject) {
    DIRQL_DOOR(IoRaiseHardError);
    UNREFERENCED_PARAMETER(Vpb);
    if (ke::current_thread()->io.hard_errors_disabled) return complete_without_data(Irp);
    auto* question =
        static_cast<Question*>(ex::allocate_pool(NonPagedPoolNx, sizeof(Question), hard_error_tag, ex::Fill::zero));
    if (question == nullptr) return complete_without_data(Irp);
    question->irp = Irp;
    question->device = RealDeviceObject;
    ke::Thread* thread = Irp->Tail.Overlay.Thread == nullptr ? nullptr : &thread_of(Irp);
    if (thread == nullptr || thread->is_system != 0) {
        ex::queue_kernel_work(question->work, DelayedWorkQueue, ask_in_worker);
        return;
    }
    ke::initialize_apc(question->apc, *thread, keep_question, forget_question, ask_in_thread, KernelMode, question);
    if (!ke::insert_apc(question->apc, nullptr, nullptr, 0)) forget_question(&question->apc);
}
}
