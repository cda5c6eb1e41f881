/* SAL 1: __in, __out and their kin, which C++ standard libraries use as names: driver code alone sees them. */
#pragma once

#define __in
#define __in_opt
#define __in_z
#define __in_z_opt
#define __in_ecount(size)
#define __in_ecount_opt(size)
#define __in_ecount_z(size)
#define __in_ecount_z_opt(size)
#define __in_bcount(size)
#define __in_bcount_opt(size)
#define __in_bcount_z(size)
#define __in_bcount_z_opt(size)
#define __in_xcount(size)
#define __in_xcount_opt(size)
#define __in_xcount_z(size)
#define __in_xcount_z_opt(size)
#define __out
#define __out_opt
#define __out_z
#define __out_z_opt
#define __out_ecount(size)
#define __out_ecount_opt(size)
#define __out_ecount_z(size)
#define __out_ecount_z_opt(size)
#define __out_ecount_part(size, length)
#define __out_ecount_part_opt(size, length)
#define __out_ecount_full(size)
#define __out_ecount_full_opt(size)
#define __out_ecount_part_z(size, length)
#define __out_ecount_full_z(size)
#define __out_ecount_nz(size)
#define __out_ecount_nz_opt(size)
#define __out_bcount(size)
#define __out_bcount_opt(size)
#define __out_bcount_z(size)
#define __out_bcount_z_opt(size)
#define __out_bcount_part(size, length)
#define __out_bcount_part_opt(size, length)
#define __out_bcount_full(size)
#define __out_bcount_full_opt(size)
#define __out_bcount_part_z(size, length)
#define __out_bcount_full_z(size)
#define __out_bcount_nz(size)
#define __out_bcount_nz_opt(size)
#define __out_xcount(size)
#define __out_xcount_opt(size)
#define __out_xcount_z(size)
#define __out_xcount_z_opt(size)
#define __out_xcount_part(size, length)
#define __out_xcount_part_opt(size, length)
#define __out_xcount_full(size)
#define __out_xcount_full_opt(size)
#define __out_xcount_part_z(size, length)
#define __out_xcount_full_z(size)
#define __out_xcount_nz(size)
#define __out_xcount_nz_opt(size)
#define __inout
#define __inout_opt
#define __inout_z
#define __inout_z_opt
#define __inout_ecount(size)
#define __inout_ecount_opt(size)
#define __inout_ecount_z(size)
#define __inout_ecount_z_opt(size)
#define __inout_ecount_part(size, length)
#define __inout_ecount_part_opt(size, length)
#define __inout_ecount_full(size)
#define __inout_ecount_full_opt(size)
#define __inout_ecount_part_z(size, length)
#define __inout_ecount_full_z(size)
#define __inout_ecount_nz(size)
#define __inout_ecount_nz_opt(size)
#define __inout_bcount(size)
#define __inout_bcount_opt(size)
#define __inout_bcount_z(size)
#define __inout_bcount_z_opt(size)
#define __inout_bcount_part(size, length)
#define __inout_bcount_part_opt(size, length)
#define __inout_bcount_full(size)
#define __inout_bcount_full_opt(size)
#define __inout_bcount_part_z(size, length)
#define __inout_bcount_full_z(size)
#define __inout_bcount_nz(size)
#define __inout_bcount_nz_opt(size)
#define __inout_xcount(size)
#define __inout_xcount_opt(size)
#define __inout_xcount_z(size)
#define __inout_xcount_z_opt(size)
#define __inout_xcount_part(size, length)
#define __inout_xcount_part_opt(size, length)
#define __inout_xcount_full(size)
#define __inout_xcount_full_opt(size)
#define __inout_xcount_part_z(size, length)
#define __inout_xcount_full_z(size)
#define __inout_xcount_nz(size)
#define __inout_xcount_nz_opt(size)

/* Behind one more pointer. */
#define __deref_in
#define __deref_in_opt
#define __deref_opt_in
#define __deref_opt_in_opt
#define __deref_in_z
#define __deref_in_ecount(size)
#define __deref_opt_in_ecount(size)
#define __deref_in_ecount_opt(size)
#define __deref_opt_in_ecount_opt(size)
#define __deref_in_ecount_z(size)
#define __deref_opt_in_ecount_z(size)
#define __deref_in_bcount(size)
#define __deref_opt_in_bcount(size)
#define __deref_in_bcount_opt(size)
#define __deref_opt_in_bcount_opt(size)
#define __deref_in_bcount_z(size)
#define __deref_opt_in_bcount_z(size)
#define __deref_out
#define __deref_out_opt
#define __deref_opt_out
#define __deref_opt_out_opt
#define __deref_out_z
#define __deref_out_ecount(size)
#define __deref_opt_out_ecount(size)
#define __deref_out_ecount_opt(size)
#define __deref_opt_out_ecount_opt(size)
#define __deref_out_ecount_z(size)
#define __deref_opt_out_ecount_z(size)
#define __deref_out_ecount_part(size, length)
#define __deref_opt_out_ecount_part(size, length)
#define __deref_out_ecount_full(size)
#define __deref_opt_out_ecount_full(size)
#define __deref_out_ecount_part_opt(size, length)
#define __deref_opt_out_ecount_part_opt(size, length)
#define __deref_out_ecount_full_opt(size)
#define __deref_opt_out_ecount_full_opt(size)
#define __deref_out_bcount(size)
#define __deref_opt_out_bcount(size)
#define __deref_out_bcount_opt(size)
#define __deref_opt_out_bcount_opt(size)
#define __deref_out_bcount_z(size)
#define __deref_opt_out_bcount_z(size)
#define __deref_out_bcount_part(size, length)
#define __deref_opt_out_bcount_part(size, length)
#define __deref_out_bcount_full(size)
#define __deref_opt_out_bcount_full(size)
#define __deref_out_bcount_part_opt(size, length)
#define __deref_opt_out_bcount_part_opt(size, length)
#define __deref_out_bcount_full_opt(size)
#define __deref_opt_out_bcount_full_opt(size)
#define __deref_inout
#define __deref_inout_opt
#define __deref_opt_inout
#define __deref_opt_inout_opt
#define __deref_inout_z
#define __deref_inout_ecount(size)
#define __deref_opt_inout_ecount(size)
#define __deref_inout_ecount_opt(size)
#define __deref_opt_inout_ecount_opt(size)
#define __deref_inout_ecount_z(size)
#define __deref_opt_inout_ecount_z(size)
#define __deref_inout_ecount_part(size, length)
#define __deref_opt_inout_ecount_part(size, length)
#define __deref_inout_ecount_full(size)
#define __deref_opt_inout_ecount_full(size)
#define __deref_inout_ecount_part_opt(size, length)
#define __deref_opt_inout_ecount_part_opt(size, length)
#define __deref_inout_ecount_full_opt(size)
#define __deref_opt_inout_ecount_full_opt(size)
#define __deref_inout_bcount(size)
#define __deref_opt_inout_bcount(size)
#define __deref_inout_bcount_opt(size)
#define __deref_opt_inout_bcount_opt(size)
#define __deref_inout_bcount_z(size)
#define __deref_opt_inout_bcount_z(size)
#define __deref_inout_bcount_part(size, length)
#define __deref_opt_inout_bcount_part(size, length)
#define __deref_inout_bcount_full(size)
#define __deref_opt_inout_bcount_full(size)
#define __deref_inout_bcount_part_opt(size, length)
#define __deref_opt_inout_bcount_part_opt(size, length)
#define __deref_inout_bcount_full_opt(size)
#define __deref_opt_inout_bcount_full_opt(size)

/* Fields, ranges, results. */
#define __field_ecount(size)
#define __field_bcount(size)
#define __field_xcount(size)
#define __field_ecount_opt(size)
#define __field_bcount_opt(size)
#define __field_ecount_part(size, length)
#define __field_bcount_part(size, length)
#define __field_ecount_full(size)
#define __field_bcount_full(size)
#define __field_range(low, high)
#define __field_data_source(name)
#define __field_nullterminated
#define __struct_bcount(size)
#define __in_range(low, high)
#define __out_range(low, high)
#define __inout_range(low, high)
#define __range(low, high)
#define __deref_in_range(low, high)
#define __deref_out_range(low, high)
#define __in_bound
#define __out_bound
#define __in_data_source(name)
#define __out_data_source(name)
#define __out_validated(name)
#define __reserved
#define __checkReturn
#define __success(condition)
#define __on_failure(annotations)
#define __callback
#define __nullterminated
#define __nullnullterminated
#define __possibly_notnullterminated
#define __format_string
#define __typefix(type)
#define __override
#define __fallthrough
#define __blocksOn(resource)
#define __notnull
#define __maybenull
#define __notvalid
#define __ecount(size)
#define __bcount(size)
#define __xcount(size)
#define __out_has_adt_prop(adt, property)
#define __post_valid
#define __encoded_pointer
#define __encoded_array
#define __inner_checkReturn
#define __nonvolatile
#define __valid
#define __byte_readableTo(size)
#define __byte_writableTo(size)
#define __elem_readableTo(size)
#define __elem_writableTo(size)
#define __useHeader
#define __refparam
