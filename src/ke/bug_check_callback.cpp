#include "ke/bug_check_callback.hpp"

#include "ke/callout.hpp"
#include "ke/exports/ke_system.hpp"
#include "ke/machine.hpp"
#include "ke/scheduler.hpp"
#include "ke/user_copy.hpp"

namespace dirql::ke {
namespace {

enum : unsigned { plain, with_reason };  // Machine::bug_check_callbacks
constexpr unsigned most_callbacks = 256; // who has ruined the list does not keep us walking it

// As on NT, made so that a record that was overwritten since is passed over.
ULONG_PTR checksum_of(const KBUGCHECK_CALLBACK_RECORD& record) noexcept {
    return reinterpret_cast<ULONG_PTR>(record.CallbackRoutine) + reinterpret_cast<ULONG_PTR>(record.Buffer) +
           record.Length + reinterpret_cast<ULONG_PTR>(record.Component);
}
ULONG_PTR checksum_of(const KBUGCHECK_REASON_CALLBACK_RECORD& record) noexcept {
    return reinterpret_cast<ULONG_PTR>(record.CallbackRoutine) + record.Reason +
           reinterpret_cast<ULONG_PTR>(record.Component);
}

template <class Record> bool register_record(Record& record, unsigned list) noexcept {
    if (record.State != BufferEmpty) return false;
    record.Checksum = checksum_of(record);
    record.State = BufferInserted;
    InsertTailList(&current_machine().bug_check_callbacks[list], &record.Entry);
    return true;
}

template <class Record> bool deregister_record(Record& record) noexcept {
    if (record.State != BufferInserted) return false;
    RemoveEntryList(&record.Entry);
    record.State = BufferEmpty;
    return true;
}

// Reads the records of a list guardedly: their memory may be gone. Calls `run` with those that are whole.
template <class Record, class Run> void each_record(Machine& machine, unsigned which, Run run) noexcept {
    LIST_ENTRY& list = machine.bug_check_callbacks[which];
    LIST_ENTRY* entry = list.Flink;
    for (unsigned count = 0; entry != &list && count < most_callbacks; ++count) {
        Record copy;
        Record* record = CONTAINING_RECORD(entry, Record, Entry);
        if (!copy_guarded(&copy, record, sizeof copy)) return;
        if (copy.State == BufferInserted && copy.Checksum == checksum_of(copy)) {
            record->State = BufferStarted;
            run(copy);
            record->State = BufferFinished;
        }
        entry = copy.Entry.Flink;
    }
}

} // namespace

void run_bug_check_callbacks(Processor& processor) noexcept {
    Machine& machine = *processor.machine;
    processor.irql = HIGH_LEVEL;
    begin_work(&processor); // they have their own budget
    processor.budget_check = processor.now + machine.options.callout_budget;
    update_horizon(&processor);
    each_record<KBUGCHECK_CALLBACK_RECORD>(machine, plain, [](const KBUGCHECK_CALLBACK_RECORD& record) {
        const CalloutSite site{CalloutKind::other, reinterpret_cast<const void*>(record.CallbackRoutine)};
        callout(site, record.CallbackRoutine, record.Buffer, record.Length);
    });
}

} // namespace dirql::ke

using namespace dirql::ke;

extern "C" {

BOOLEAN NTAPI KeRegisterBugCheckCallback(PKBUGCHECK_CALLBACK_RECORD CallbackRecord,
                                         PKBUGCHECK_CALLBACK_ROUTINE CallbackRoutine, PVOID Buffer, ULONG Length,
                                         PUCHAR Component) {
    DIRQL_DOOR(KeRegisterBugCheckCallback);
    if (CallbackRecord->State != BufferEmpty) return FALSE;
    CallbackRecord->CallbackRoutine = CallbackRoutine;
    CallbackRecord->Buffer = Buffer;
    CallbackRecord->Length = Length;
    CallbackRecord->Component = Component;
    return register_record(*CallbackRecord, plain);
}

BOOLEAN NTAPI KeDeregisterBugCheckCallback(PKBUGCHECK_CALLBACK_RECORD CallbackRecord) {
    DIRQL_DOOR(KeDeregisterBugCheckCallback);
    return deregister_record(*CallbackRecord);
}

BOOLEAN NTAPI KeRegisterBugCheckReasonCallback(PKBUGCHECK_REASON_CALLBACK_RECORD CallbackRecord,
                                               PKBUGCHECK_REASON_CALLBACK_ROUTINE CallbackRoutine,
                                               KBUGCHECK_CALLBACK_REASON Reason, PUCHAR Component) {
    DIRQL_DOOR(KeRegisterBugCheckReasonCallback);
    if (CallbackRecord->State != BufferEmpty || Reason <= KbCallbackReserved1 || Reason > KbCallbackReserved3)
        return FALSE;
    CallbackRecord->CallbackRoutine = CallbackRoutine;
    CallbackRecord->Reason = Reason;
    CallbackRecord->Component = Component;
    return register_record(*CallbackRecord, with_reason);
}

BOOLEAN NTAPI KeDeregisterBugCheckReasonCallback(PKBUGCHECK_REASON_CALLBACK_RECORD CallbackRecord) {
    DIRQL_DOOR(KeDeregisterBugCheckReasonCallback);
    return deregister_record(*CallbackRecord);
}
}
