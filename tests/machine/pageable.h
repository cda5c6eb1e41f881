/* What the pageable driver can be asked for: DeviceIoControl codes, shared with the test. */
#pragma once

#define PAGEABLE_CODE(function) (0x00220000u | ((0x800u + (unsigned)(function)) << 2)) /* METHOD_BUFFERED */

enum PageableCase {
    pageable_low, /* touches after the IRQL fell: all is there; so for the rest of the first group */
    pageable_many_pages,
    pageable_locked,
    pageable_mapped,
    pageable_freed,
    pageable_lookaside,
    pageable_valid, /* MmIsAddressValid at both levels */
    pageable_nonpaged_raised,
    pageable_first_error,
    pageable_read_locked_spin = pageable_first_error, /* each of these ends in a bug check */
    pageable_write_raised,
    pageable_big_block,
    pageable_in_dpc,
    pageable_other_processor,
    pageable_unlocked_again,
    pageable_event,
    pageable_copy,
    pageable_code,
    pageable_cases
};
