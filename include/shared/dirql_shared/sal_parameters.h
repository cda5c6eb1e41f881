/* SAL 2: annotations of parameters, results and fields. They describe a contract to a reader and expand to nothing. */
#pragma once

/* One value behind the pointer. */
#define _In_
#define _In_opt_
#define _In_z_
#define _In_opt_z_
#define _Inout_
#define _Inout_opt_
#define _Inout_z_
#define _Inout_opt_z_
#define _Out_
#define _Out_opt_
#define _Out_z_
#define _Out_opt_z_
#define _Reserved_
#define _Const_
#define _In_range_(low, high)
#define _Out_range_(low, high)
#define _Ret_range_(low, high)
#define _Deref_in_range_(low, high)
#define _Deref_out_range_(low, high)
#define _Deref_inout_range_(low, high)
#define _Deref_ret_range_(low, high)
#define _Field_range_(low, high)
#define _Pre_range_(low, high)
#define _Post_range_(low, high)

/* Arrays: the size is in elements, or in bytes where the name says so. */
#define _In_reads_(size)
#define _In_reads_opt_(size)
#define _In_reads_z_(size)
#define _In_reads_opt_z_(size)
#define _In_reads_or_z_(size)
#define _In_reads_bytes_(size)
#define _In_reads_bytes_opt_(size)
#define _In_reads_to_ptr_(end)
#define _In_reads_to_ptr_opt_(end)
#define _In_reads_to_ptr_z_(end)
#define _Out_writes_(size)
#define _Out_writes_opt_(size)
#define _Out_writes_z_(size)
#define _Out_writes_opt_z_(size)
#define _Out_writes_or_z_(size)
#define _Out_writes_to_(size, count)
#define _Out_writes_to_opt_(size, count)
#define _Out_writes_all_(size)
#define _Out_writes_all_opt_(size)
#define _Out_writes_bytes_(size)
#define _Out_writes_bytes_opt_(size)
#define _Out_writes_bytes_to_(size, count)
#define _Out_writes_bytes_to_opt_(size, count)
#define _Out_writes_bytes_all_(size)
#define _Out_writes_bytes_all_opt_(size)
#define _Out_writes_to_ptr_(end)
#define _Out_writes_to_ptr_opt_(end)
#define _Out_writes_to_ptr_z_(end)
#define _Inout_updates_(size)
#define _Inout_updates_opt_(size)
#define _Inout_updates_z_(size)
#define _Inout_updates_opt_z_(size)
#define _Inout_updates_or_z_(size)
#define _Inout_updates_to_(size, count)
#define _Inout_updates_to_opt_(size, count)
#define _Inout_updates_all_(size)
#define _Inout_updates_all_opt_(size)
#define _Inout_updates_bytes_(size)
#define _Inout_updates_bytes_opt_(size)
#define _Inout_updates_bytes_to_(size, count)
#define _Inout_updates_bytes_to_opt_(size, count)
#define _Inout_updates_bytes_all_(size)
#define _Inout_updates_bytes_all_opt_(size)
#define _Inout_updates_to_ptr_(end)
#define _Inout_updates_to_ptr_opt_(end)
#define _Inout_updates_to_ptr_z_(end)

/* Pointers that the function hands out. */
#define _Outptr_
#define _Outptr_result_maybenull_
#define _Outptr_result_z_
#define _Outptr_result_maybenull_z_
#define _Outptr_result_nullonfailure_
#define _Outptr_result_buffer_(size)
#define _Outptr_result_buffer_to_(size, count)
#define _Outptr_result_buffer_all_(size)
#define _Outptr_result_buffer_maybenull_(size)
#define _Outptr_result_buffer_all_maybenull_(size)
#define _Outptr_result_buffer_to_maybenull_(size, count)
#define _Outptr_result_bytebuffer_(size)
#define _Outptr_result_bytebuffer_to_(size, count)
#define _Outptr_result_bytebuffer_all_(size)
#define _Outptr_result_bytebuffer_maybenull_(size)
#define _Outptr_result_bytebuffer_all_maybenull_(size)
#define _Outptr_result_bytebuffer_to_maybenull_(size, count)
#define _Outptr_opt_
#define _Outptr_opt_result_maybenull_
#define _Outptr_opt_result_z_
#define _Outptr_opt_result_maybenull_z_
#define _Outptr_opt_result_nullonfailure_
#define _Outptr_opt_result_buffer_(size)
#define _Outptr_opt_result_buffer_to_(size, count)
#define _Outptr_opt_result_buffer_all_(size)
#define _Outptr_opt_result_buffer_maybenull_(size)
#define _Outptr_opt_result_buffer_all_maybenull_(size)
#define _Outptr_opt_result_buffer_to_maybenull_(size, count)
#define _Outptr_opt_result_bytebuffer_(size)
#define _Outptr_opt_result_bytebuffer_to_(size, count)
#define _Outptr_opt_result_bytebuffer_all_(size)
#define _Outptr_opt_result_bytebuffer_maybenull_(size)
#define _Outptr_opt_result_bytebuffer_all_maybenull_(size)
#define _Outptr_opt_result_bytebuffer_to_maybenull_(size, count)
#define _COM_Outptr_
#define _COM_Outptr_opt_
#define _COM_Outptr_result_maybenull_
#define _COM_Outptr_opt_result_maybenull_
#define _Outref_
#define _Outref_result_maybenull_
#define _Outref_result_nullonfailure_
#define _Outref_result_buffer_(size)
#define _Outref_result_buffer_to_(size, count)
#define _Outref_result_buffer_all_(size)
#define _Outref_result_buffer_maybenull_(size)
#define _Outref_result_buffer_all_maybenull_(size)
#define _Outref_result_bytebuffer_(size)
#define _Outref_result_bytebuffer_to_(size, count)
#define _Outref_result_bytebuffer_all_(size)
#define _Outref_result_bytebuffer_maybenull_(size)
#define _Outref_result_bytebuffer_all_maybenull_(size)

/* Results. */
#define _Ret_z_
#define _Ret_maybenull_
#define _Ret_notnull_
#define _Ret_null_
#define _Ret_valid_
#define _Ret_maybenull_z_
#define _Ret_z_maybenull_
#define _Ret_writes_(size)
#define _Ret_writes_maybenull_(size)
#define _Ret_writes_to_(size, count)
#define _Ret_writes_to_maybenull_(size, count)
#define _Ret_writes_bytes_(size)
#define _Ret_writes_bytes_maybenull_(size)
#define _Ret_writes_bytes_to_(size, count)
#define _Ret_writes_bytes_to_maybenull_(size, count)
#define _Ret_writes_z_(size)
#define _Ret_writes_maybenull_z_(size)
#define _Result_nullonfailure_
#define _Result_zeroonfailure_
#define _Check_return_
#define _Must_inspect_result_
#define _Success_(condition)
#define _Return_type_success_(condition)
#define _On_failure_(annotations)
#define _Always_(annotations)

/* Fields. */
#define _Field_size_(size)
#define _Field_size_opt_(size)
#define _Field_size_part_(size, count)
#define _Field_size_part_opt_(size, count)
#define _Field_size_full_(size)
#define _Field_size_full_opt_(size)
#define _Field_size_bytes_(size)
#define _Field_size_bytes_opt_(size)
#define _Field_size_bytes_part_(size, count)
#define _Field_size_bytes_part_opt_(size, count)
#define _Field_size_bytes_full_(size)
#define _Field_size_bytes_full_opt_(size)
#define _Field_z_
#define _Struct_size_bytes_(size)

/* Spellings of SAL 1.1 that older sources use. */
#define _Deref_in_
#define _Deref_in_opt_
#define _Deref_in_z_
#define _Deref_in_opt_z_
#define _Deref_in_valid_
#define _Deref_in_notnull_
#define _Deref_in_null_
#define _Deref_in_maybenull_
#define _Deref_in_readonly_
#define _Deref_in_writeonly_
#define _Deref_out_
#define _Deref_out_opt_
#define _Deref_out_z_
#define _Deref_out_opt_z_
#define _Deref_out_valid_
#define _Deref_out_notnull_
#define _Deref_out_null_
#define _Deref_out_maybenull_
#define _Deref_out_readonly_
#define _Deref_out_writeonly_
#define _Deref_inout_
#define _Deref_inout_opt_
#define _Deref_inout_z_
#define _Deref_inout_opt_z_
#define _Deref_inout_valid_
#define _Deref_inout_notnull_
#define _Deref_inout_null_
#define _Deref_inout_maybenull_
#define _Deref_inout_readonly_
#define _Deref_inout_writeonly_
#define _Deref_ret_z_
#define _Deref_ret_opt_z_
#define _Deref_ret_valid_
#define _Deref_ret_notnull_
#define _Deref_ret_null_
#define _Deref_ret_maybenull_
#define _Deref_ret_readonly_
#define _Deref_ret_writeonly_
#define _Deref_pre_z_
#define _Deref_pre_opt_z_
#define _Deref_pre_valid_
#define _Deref_pre_notnull_
#define _Deref_pre_null_
#define _Deref_pre_maybenull_
#define _Deref_pre_readonly_
#define _Deref_pre_writeonly_
#define _Deref_post_z_
#define _Deref_post_opt_z_
#define _Deref_post_valid_
#define _Deref_post_notnull_
#define _Deref_post_null_
#define _Deref_post_maybenull_
#define _Deref_post_readonly_
#define _Deref_post_writeonly_
#define _Deref_opt_out_
#define _Deref_opt_out_opt_
#define _Deref_opt_out_z_
#define _Deref_opt_out_opt_z_
#define _Deref_opt_out_valid_
#define _Deref_opt_out_notnull_
#define _Deref_opt_out_null_
#define _Deref_opt_out_maybenull_
#define _Deref_opt_out_readonly_
#define _Deref_opt_out_writeonly_
#define _Deref_opt_in_
#define _Deref_opt_in_opt_
#define _Deref_opt_in_z_
#define _Deref_opt_in_opt_z_
#define _Deref_opt_in_valid_
#define _Deref_opt_in_notnull_
#define _Deref_opt_in_null_
#define _Deref_opt_in_maybenull_
#define _Deref_opt_in_readonly_
#define _Deref_opt_in_writeonly_
#define _In_count_(size)
#define _In_opt_count_(size)
#define _In_count_c_(size)
#define _In_opt_count_c_(size)
#define _In_count_x_(size)
#define _In_opt_count_x_(size)
#define _In_bytecount_(size)
#define _In_opt_bytecount_(size)
#define _In_bytecount_c_(size)
#define _In_opt_bytecount_c_(size)
#define _In_bytecount_x_(size)
#define _In_opt_bytecount_x_(size)
#define _Out_count_(size)
#define _Out_opt_count_(size)
#define _Out_count_c_(size)
#define _Out_opt_count_c_(size)
#define _Out_count_x_(size)
#define _Out_opt_count_x_(size)
#define _Out_bytecount_(size)
#define _Out_opt_bytecount_(size)
#define _Out_bytecount_c_(size)
#define _Out_opt_bytecount_c_(size)
#define _Out_bytecount_x_(size)
#define _Out_opt_bytecount_x_(size)
#define _Inout_count_(size)
#define _Inout_opt_count_(size)
#define _Inout_count_c_(size)
#define _Inout_opt_count_c_(size)
#define _Inout_count_x_(size)
#define _Inout_opt_count_x_(size)
#define _Inout_bytecount_(size)
#define _Inout_opt_bytecount_(size)
#define _Inout_bytecount_c_(size)
#define _Inout_opt_bytecount_c_(size)
#define _Inout_bytecount_x_(size)
#define _Inout_opt_bytecount_x_(size)
#define _Out_cap_(size)
#define _Out_cap_c_(size)
#define _Out_cap_x_(size)
#define _Out_cap_m_(size)
#define _Out_bytecap_(size)
#define _Out_bytecap_c_(size)
#define _Out_bytecap_x_(size)
#define _Out_bytecap_m_(size)
#define _Out_z_cap_(size)
#define _Out_z_bytecap_(size)
#define _Out_cap_post_count_(size, count)
#define _Out_bytecap_post_bytecount_(size, count)
#define _Out_opt_cap_(size)
#define _Out_opt_cap_c_(size)
#define _Out_opt_cap_x_(size)
#define _Out_opt_cap_m_(size)
#define _Out_opt_bytecap_(size)
#define _Out_opt_bytecap_c_(size)
#define _Out_opt_bytecap_x_(size)
#define _Out_opt_bytecap_m_(size)
#define _Out_opt_z_cap_(size)
#define _Out_opt_z_bytecap_(size)
#define _Out_opt_cap_post_count_(size, count)
#define _Out_opt_bytecap_post_bytecount_(size, count)
#define _Inout_cap_(size)
#define _Inout_cap_c_(size)
#define _Inout_cap_x_(size)
#define _Inout_cap_m_(size)
#define _Inout_bytecap_(size)
#define _Inout_bytecap_c_(size)
#define _Inout_bytecap_x_(size)
#define _Inout_bytecap_m_(size)
#define _Inout_z_cap_(size)
#define _Inout_z_bytecap_(size)
#define _Inout_cap_post_count_(size, count)
#define _Inout_bytecap_post_bytecount_(size, count)
