/* SAL 2: conditions, states and advice. All expand to nothing. */
#pragma once

/* What holds before and after the call. */
#define _Pre_
#define _Pre_valid_
#define _Pre_invalid_
#define _Pre_notnull_
#define _Pre_null_
#define _Pre_maybenull_
#define _Pre_z_
#define _Pre_readable_
#define _Pre_writable_
#define _Pre_defensive_
#define _Pre_opt_valid_
#define _Pre_satisfies_(condition)
#define _Pre_equal_to_(value)
#define _Pre_readable_size_(size)
#define _Pre_readable_byte_size_(size)
#define _Pre_writable_size_(size)
#define _Pre_writable_byte_size_(size)
#define _Pre_count_(size)
#define _Pre_bytecount_(size)
#define _Post_
#define _Post_valid_
#define _Post_invalid_
#define _Post_notnull_
#define _Post_null_
#define _Post_maybenull_
#define _Post_z_
#define _Post_readable_
#define _Post_writable_
#define _Post_defensive_
#define _Post_opt_valid_
#define _Post_satisfies_(condition)
#define _Post_equal_to_(value)
#define _Post_readable_size_(size)
#define _Post_readable_byte_size_(size)
#define _Post_writable_size_(size)
#define _Post_writable_byte_size_(size)
#define _Post_count_(size)
#define _Post_bytecount_(size)
#define _Post_ptr_invalid_
#define _Post_same_lock_(lock1, lock2)
#define _Prepost_valid_
#define _Prepost_z_
#define _Prepost_opt_valid_
#define _Pre_unknown_
#define _Post_unknown_

/* States and conditions. */
#define _Null_
#define _Notnull_
#define _Maybenull_
#define _Null_terminated_
#define _NullNull_terminated_
#define _Valid_
#define _Notvalid_
#define _Maybevalid_
#define _Notref_
#define _Points_to_data_
#define _Literal_
#define _Notliteral_
#define _Printf_format_string_
#define _Scanf_format_string_
#define _Scanf_s_format_string_
#define _Use_decl_annotations_
#define _Strict_type_match_
#define _Interlocked_operand_
#define _Write_guarded_by_any_
#define _Readable_
#define _Writable_
#define _Printf_format_string_params_(position)
#define _Scanf_format_string_params_(position)
#define _Readable_bytes_(size)
#define _Readable_elements_(size)
#define _Writable_bytes_(size)
#define _Writable_elements_(size)
#define _Satisfies_(condition)
#define _Equal_to_(value)
#define _Unchanged_(value)
#define _When_(condition, annotations)
#define _At_(target, annotations)
#define _At_buffer_(target, index, bound, annotations)
#define _Group_(annotations)
#define _Deref_(annotations)
#define _Returns_(annotations)
#define _Notreached_
#define _Enum_is_bitflag_
#define _Points_to_(type)
#define _Benign_race_begin_
#define _Benign_race_end_
#define _No_competing_thread_begin_
#define _No_competing_thread_end_
#define _No_competing_thread_
#define _Frees_ptr_
#define _Frees_ptr_opt_
#define _Post_ptr_
#define _Pre_ptr_
#define _Raises_SEH_exception_
#define _Maybe_raises_SEH_exception_
#define _Ret_
#define _Deref_ret_
#define _Param_(number)
#define _Inexpressible_(text)
#define _Old_(value)
#define _String_length_(text)

/* Advice to an analyser. The condition is not evaluated. */
#define _Analysis_assume_(condition)
#define _Analysis_assert_(condition)
#define _Analysis_mode_(mode)
#define _Analysis_noreturn_
#define _Analysis_assume_nullterminated_(text)
#define _Analysis_assume_same_lock_(lock1, lock2)
#define _Analysis_suppress_lock_checking_(lock)
#define _Analysis_assume_lock_held_(lock)
#define _Analysis_assume_lock_not_held_(lock)
#define _Analysis_assume_lock_acquired_(lock)
#define _Analysis_assume_lock_released_(lock)
#define __analysis_assume(condition)
#define __analysis_assert(condition)
#define __analysis_noreturn
#define __analysis_hint(hint)
#define __analysis_suppress_lock_checking(lock)
