// System time, calendar fields and seconds.
#include "ke/exports/rtl.hpp"
#include "rtl/calendar.hpp"

#include <ntifs.h>

using namespace dirql;

namespace {

BOOLEAN to_seconds(LONGLONG epoch, const LARGE_INTEGER* time, PULONG seconds) {
    const auto result = rtl::to_seconds_since(epoch, time->QuadPart);
    if (result) *seconds = *result;
    return result.has_value();
}

LONGLONG from_seconds(LONGLONG epoch, ULONG seconds) { return (epoch + seconds) * rtl::ticks_per_second; }

} // namespace

extern "C" {

VOID NTAPI RtlTimeToTimeFields(PLARGE_INTEGER time, PTIME_FIELDS fields) {
    DIRQL_DOOR(RtlTimeToTimeFields);
    const rtl::CalendarTime calendar = rtl::to_calendar(time->QuadPart);
    const auto narrow = [](int value) { return static_cast<CSHORT>(value); };
    *fields = {narrow(calendar.year),        narrow(calendar.month),  narrow(calendar.day),
               narrow(calendar.hour),        narrow(calendar.minute), narrow(calendar.second),
               narrow(calendar.millisecond), narrow(calendar.weekday)};
}

// FALSE, and nothing written, when a field is out of range. The weekday is ignored.
BOOLEAN NTAPI RtlTimeFieldsToTime(PTIME_FIELDS fields, PLARGE_INTEGER time) {
    DIRQL_DOOR(RtlTimeFieldsToTime);
    const auto result = rtl::to_system_time({fields->Year, fields->Month, fields->Day, fields->Hour, fields->Minute,
                                             fields->Second, fields->Milliseconds, fields->Weekday});
    if (result) time->QuadPart = *result;
    return result.has_value();
}

// FALSE before 1970 and from 2106 on.
BOOLEAN NTAPI RtlTimeToSecondsSince1970(PLARGE_INTEGER time, PULONG seconds) {
    DIRQL_DOOR(RtlTimeToSecondsSince1970);
    return to_seconds(rtl::seconds_1601_to_1970, time, seconds);
}

BOOLEAN NTAPI RtlTimeToSecondsSince1980(PLARGE_INTEGER time, PULONG seconds) {
    DIRQL_DOOR(RtlTimeToSecondsSince1980);
    return to_seconds(rtl::seconds_1601_to_1980, time, seconds);
}

VOID NTAPI RtlSecondsSince1970ToTime(ULONG seconds, PLARGE_INTEGER time) {
    DIRQL_DOOR(RtlSecondsSince1970ToTime);
    time->QuadPart = from_seconds(rtl::seconds_1601_to_1970, seconds);
}

VOID NTAPI RtlSecondsSince1980ToTime(ULONG seconds, PLARGE_INTEGER time) {
    DIRQL_DOOR(RtlSecondsSince1980ToTime);
    time->QuadPart = from_seconds(rtl::seconds_1601_to_1980, seconds);
}

} // extern "C"
