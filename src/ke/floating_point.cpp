#include "ke/floating_point.hpp"

#include "ke/exports/ke_system.hpp"
#include "ke/machine.hpp"
#include "ke/stop.hpp"

#include <cstdint>

namespace dirql::ke {
namespace {

constexpr const char* document = "KeRestoreFloatingPointState function (wdm.h)";

// What calls keep by the ABI is control: masks, rounding, precision. Registers with numbers belong to the caller of any function.
constexpr std::uint32_t fresh_mxcsr = 0x1F80;  // all exceptions masked, round to nearest
constexpr std::uint16_t fresh_control = 0x27F; // the same of x87, with NT's 53 bits of precision

void load(std::uint32_t mxcsr, std::uint16_t control) noexcept {
    asm volatile("ldmxcsr %0\n\tfldcw %1" : : "m"(mxcsr), "m"(control));
}

// Bug check 0xE7's first parameter: what was found wrong.
enum : std::uint64_t { not_saved = 0, other_irql = 1 };

[[noreturn, gnu::cold]] void broken(std::uint64_t what, std::uint64_t p2, std::uint64_t p3, const char* rule) noexcept {
    bug_check(INVALID_FLOATING_POINT_STATE, what, p2, p3, 0, {.rule = rule, .document = document});
}

} // namespace

NTSTATUS save_floating_point(const void* place) noexcept {
    const Processor& processor = *current_processor();
    Thread& thread = *processor.current;
    if (thread.saves_open == most_floating_point_saves) return STATUS_INSUFFICIENT_RESOURCES;
    if (thread.saves_open != 0 && thread.floating_point[thread.saves_open - 1].irql > processor.irql)
        broken(other_irql, thread.floating_point[thread.saves_open - 1].irql, processor.irql,
               "a floating-point state was saved below the IRQL of the save around it");
    FloatingPointSave& record = thread.floating_point[thread.saves_open++];
    asm volatile("stmxcsr %0\n\tfnstcw %1" : "=m"(record.mxcsr), "=m"(record.control));
    record.place = place;
    record.irql = processor.irql;
    load(fresh_mxcsr, fresh_control);
    return STATUS_SUCCESS;
}

void restore_floating_point(const void* place) noexcept {
    const Processor& processor = *current_processor();
    Thread& thread = *processor.current;
    if (thread.saves_open == 0)
        broken(not_saved, 0, 0, "a floating-point state was restored that this thread has not saved");
    const FloatingPointSave& record = thread.floating_point[thread.saves_open - 1];
    if (record.place != place)
        broken(not_saved, 0, 0, "a floating-point state was restored out of order: another was saved after it");
    if (record.irql != processor.irql)
        broken(other_irql, record.irql, processor.irql,
               "a floating-point state was restored at another IRQL than it was saved at");
    load(record.mxcsr, record.control);
    --thread.saves_open;
}

void refuse_other_thread(const void* saved_in) noexcept {
    if (saved_in == current_thread()) [[likely]]
        return;
    broken(2, parameter(saved_in), parameter(current_thread()),
           "an extended processor state was restored in another thread than it was saved in");
}

void refuse_open_saves(const Thread& thread, unsigned open_before) noexcept {
    if (thread.saves_open == open_before) [[likely]]
        return;
    broken(not_saved, 0, 0, "a driver saved the floating-point state and returned without restoring it");
}

} // namespace dirql::ke

using namespace dirql::ke;

extern "C" {

NTSTATUS NTAPI KeSaveFloatingPointState(PKFLOATING_SAVE FloatSave) {
    DIRQL_DOOR(KeSaveFloatingPointState);
    return save_floating_point(FloatSave);
}

NTSTATUS NTAPI KeRestoreFloatingPointState(PKFLOATING_SAVE FloatSave) {
    DIRQL_DOOR(KeRestoreFloatingPointState);
    restore_floating_point(FloatSave);
    return STATUS_SUCCESS;
}
}
