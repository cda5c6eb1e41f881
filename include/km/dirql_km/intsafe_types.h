/* The conversions of <ntintsafe.h>: from each type to those that do not hold all of its values here or on another of
 * Windows' processors. X(From, from_type, To, to_type, what the result is set to on overflow). */
#pragma once

/* clang-format off */

#define DIRQL_INTSAFE_FROM_INT8(X, From, type) \
    X(From, type, UChar, UCHAR, 0) \
    X(From, type, UInt8, UINT8, ~0) X(From, type, Byte, BYTE, ~0) X(From, type, UShort, USHORT, ~0) \
        X(From, type, UInt16, UINT16, ~0) X(From, type, Word, WORD, ~0) X(From, type, UInt, UINT, ~0) \
            X(From, type, UInt32, UINT32, ~0) X(From, type, ULong, ULONG, ~0) X(From, type, DWord, DWORD, ~0) \
                X(From, type, UIntPtr, UINT_PTR, ~0) X(From, type, SizeT, size_t, ~0) \
                    X(From, type, ULongPtr, ULONG_PTR, ~0) X(From, type, DWordPtr, DWORD_PTR, ~0) \
                        X(From, type, SIZET, SIZE_T, ~0) X(From, type, ULongLong, ULONGLONG, ~0) \
                            X(From, type, DWordLong, DWORDLONG, ~0) X(From, type, ULong64, ULONG64, ~0) \
                                X(From, type, DWord64, DWORD64, ~0) X(From, type, UInt64, UINT64, ~0)

#define DIRQL_INTSAFE_FROM_UINT8(X, From, type) X(From, type, Char, CHAR, ~0) X(From, type, Int8, INT8, ~0)

#define DIRQL_INTSAFE_FROM_SHORT(X, From, type) \
    X(From, type, Char, CHAR, ~0) \
    X(From, type, UChar, UCHAR, 0) X(From, type, Int8, INT8, ~0) X(From, type, UInt8, UINT8, ~0) \
        X(From, type, Byte, BYTE, ~0) X(From, type, UShort, USHORT, ~0) X(From, type, UInt16, UINT16, ~0) \
            X(From, type, Word, WORD, ~0) X(From, type, UInt, UINT, ~0) X(From, type, UInt32, UINT32, ~0) \
                X(From, type, ULong, ULONG, ~0) X(From, type, DWord, DWORD, ~0) X(From, type, UIntPtr, UINT_PTR, ~0) \
                    X(From, type, SizeT, size_t, ~0) X(From, type, ULongPtr, ULONG_PTR, ~0) \
                        X(From, type, DWordPtr, DWORD_PTR, ~0) X(From, type, SIZET, SIZE_T, ~0) \
                            X(From, type, ULongLong, ULONGLONG, ~0) X(From, type, DWordLong, DWORDLONG, ~0) \
                                X(From, type, ULong64, ULONG64, ~0) X(From, type, DWord64, DWORD64, ~0) \
                                    X(From, type, UInt64, UINT64, ~0)

#define DIRQL_INTSAFE_FROM_USHORT(X, From, type) \
    X(From, type, Char, CHAR, ~0) \
    X(From, type, UChar, UCHAR, 0) X(From, type, Int8, INT8, ~0) X(From, type, UInt8, UINT8, ~0) \
        X(From, type, Byte, BYTE, ~0) X(From, type, Short, SHORT, ~0) X(From, type, Int16, INT16, ~0)

#define DIRQL_INTSAFE_FROM_INT(X, From, type) \
    X(From, type, Char, CHAR, ~0) \
    X(From, type, UChar, UCHAR, 0) X(From, type, Int8, INT8, ~0) X(From, type, UInt8, UINT8, ~0) \
        X(From, type, Byte, BYTE, ~0) X(From, type, Short, SHORT, ~0) X(From, type, Int16, INT16, ~0) \
            X(From, type, UShort, USHORT, ~0) X(From, type, UInt16, UINT16, ~0) X(From, type, Word, WORD, ~0) \
                X(From, type, UInt, UINT, ~0) X(From, type, UInt32, UINT32, ~0) X(From, type, ULong, ULONG, ~0) \
                    X(From, type, DWord, DWORD, ~0) X(From, type, IntPtr, INT_PTR, ~0) \
                        X(From, type, PtrdiffT, ptrdiff_t, ~0) X(From, type, LongPtr, LONG_PTR, ~0) \
                            X(From, type, SSIZET, SSIZE_T, ~0) X(From, type, UIntPtr, UINT_PTR, ~0) \
                                X(From, type, SizeT, size_t, ~0) X(From, type, ULongPtr, ULONG_PTR, \
                                                                   ~0) X(From, type, DWordPtr, DWORD_PTR, ~0) \
                                    X(From, type, SIZET, SIZE_T, ~0) X(From, type, ULongLong, ULONGLONG, ~0) \
                                        X(From, type, DWordLong, DWORDLONG, ~0) X(From, type, ULong64, ULONG64, ~0) \
                                            X(From, type, DWord64, DWORD64, ~0) X(From, type, UInt64, UINT64, ~0)

#define DIRQL_INTSAFE_FROM_UINT(X, From, type) \
    X(From, type, Char, CHAR, ~0) \
    X(From, type, UChar, UCHAR, 0) X(From, type, Int8, INT8, ~0) X(From, type, UInt8, UINT8, ~0) \
        X(From, type, Byte, BYTE, ~0) X(From, type, Short, SHORT, ~0) X(From, type, Int16, INT16, ~0) \
            X(From, type, UShort, USHORT, ~0) X(From, type, UInt16, UINT16, ~0) X(From, type, Word, WORD, ~0) \
                X(From, type, Int, INT, ~0) X(From, type, Int32, INT32, ~0) X(From, type, Long, LONG, ~0) \
                    X(From, type, IntPtr, INT_PTR, ~0) X(From, type, PtrdiffT, ptrdiff_t, ~0) \
                        X(From, type, LongPtr, LONG_PTR, ~0) X(From, type, SSIZET, SSIZE_T, ~0) \
                            X(From, type, UIntPtr, UINT_PTR, ~0) X(From, type, SizeT, size_t, ~0) \
                                X(From, type, ULongPtr, ULONG_PTR, ~0) X(From, type, DWordPtr, DWORD_PTR, ~0) \
                                    X(From, type, SIZET, SIZE_T, ~0)

#define DIRQL_INTSAFE_FROM_LONG(X, From, type) \
    X(From, type, Char, CHAR, ~0) \
    X(From, type, UChar, UCHAR, 0) X(From, type, Int8, INT8, ~0) X(From, type, UInt8, UINT8, ~0) \
        X(From, type, Byte, BYTE, ~0) X(From, type, Short, SHORT, ~0) X(From, type, Int16, INT16, ~0) \
            X(From, type, UShort, USHORT, ~0) X(From, type, UInt16, UINT16, ~0) X(From, type, Word, WORD, ~0) \
                X(From, type, Int, INT, ~0) X(From, type, Int32, INT32, ~0) X(From, type, UInt, UINT, ~0) \
                    X(From, type, UInt32, UINT32, ~0) X(From, type, ULong, ULONG, ~0) X(From, type, DWord, DWORD, ~0) \
                        X(From, type, IntPtr, INT_PTR, ~0) X(From, type, PtrdiffT, ptrdiff_t, ~0) \
                            X(From, type, LongPtr, LONG_PTR, ~0) X(From, type, SSIZET, SSIZE_T, ~0) \
                                X(From, type, UIntPtr, UINT_PTR, ~0) X(From, type, SizeT, size_t, ~0) \
                                    X(From, type, ULongPtr, ULONG_PTR, ~0) X(From, type, DWordPtr, DWORD_PTR, ~0) \
                                        X(From, type, SIZET, SIZE_T, ~0) X(From, type, ULongLong, ULONGLONG, ~0) \
                                            X(From, type, DWordLong, DWORDLONG, ~0) \
                                                X(From, type, ULong64, ULONG64, ~0) \
                                                    X(From, type, DWord64, DWORD64, ~0) \
                                                        X(From, type, UInt64, UINT64, ~0)

#define DIRQL_INTSAFE_FROM_ULONG(X, From, type) \
    X(From, type, Char, CHAR, ~0) \
    X(From, type, UChar, UCHAR, 0) X(From, type, Int8, INT8, ~0) X(From, type, UInt8, UINT8, ~0) \
        X(From, type, Byte, BYTE, ~0) X(From, type, Short, SHORT, ~0) X(From, type, Int16, INT16, ~0) \
            X(From, type, UShort, USHORT, ~0) X(From, type, UInt16, UINT16, ~0) X(From, type, Word, WORD, ~0) \
                X(From, type, Int, INT, ~0) X(From, type, Int32, INT32, ~0) X(From, type, UInt, UINT, ~0) \
                    X(From, type, UInt32, UINT32, ~0) X(From, type, Long, LONG, ~0) X(From, type, IntPtr, INT_PTR, ~0) \
                        X(From, type, PtrdiffT, ptrdiff_t, ~0) X(From, type, LongPtr, LONG_PTR, ~0) \
                            X(From, type, SSIZET, SSIZE_T, ~0) X(From, type, UIntPtr, UINT_PTR, ~0) \
                                X(From, type, SizeT, size_t, ~0) X(From, type, ULongPtr, ULONG_PTR, ~0) \
                                    X(From, type, DWordPtr, DWORD_PTR, ~0) X(From, type, SIZET, SIZE_T, ~0)

#define DIRQL_INTSAFE_FROM_INTPTR(X, From, type) \
    X(From, type, Char, CHAR, ~0) \
    X(From, type, UChar, UCHAR, 0) X(From, type, Int8, INT8, ~0) X(From, type, UInt8, UINT8, ~0) \
        X(From, type, Byte, BYTE, ~0) X(From, type, Short, SHORT, ~0) X(From, type, Int16, INT16, ~0) \
            X(From, type, UShort, USHORT, ~0) X(From, type, UInt16, UINT16, ~0) X(From, type, Word, WORD, ~0) \
                X(From, type, Int, INT, ~0) X(From, type, Int32, INT32, ~0) X(From, type, UInt, UINT, ~0) \
                    X(From, type, UInt32, UINT32, ~0) X(From, type, Long, LONG, ~0) X(From, type, ULong, ULONG, ~0) \
                        X(From, type, DWord, DWORD, ~0) X(From, type, LongPtr, LONG_PTR, ~0) \
                            X(From, type, SSIZET, SSIZE_T, ~0) X(From, type, UIntPtr, UINT_PTR, ~0) \
                                X(From, type, SizeT, size_t, ~0) X(From, type, ULongPtr, ULONG_PTR, ~0) \
                                    X(From, type, DWordPtr, DWORD_PTR, ~0) X(From, type, SIZET, SIZE_T, ~0) \
                                        X(From, type, LongLong, LONGLONG, ~0) X(From, type, Long64, LONG64, ~0) \
                                            X(From, type, Int64, INT64, ~0) X(From, type, ULongLong, ULONGLONG, ~0) \
                                                X(From, type, DWordLong, DWORDLONG, ~0) \
                                                    X(From, type, ULong64, ULONG64, ~0) \
                                                        X(From, type, DWord64, DWORD64, ~0) \
                                                            X(From, type, UInt64, UINT64, ~0)

#define DIRQL_INTSAFE_FROM_LONGPTR(X, From, type) \
    X(From, type, Char, CHAR, ~0) \
    X(From, type, UChar, UCHAR, 0) X(From, type, Int8, INT8, ~0) X(From, type, UInt8, UINT8, ~0) \
        X(From, type, Byte, BYTE, ~0) X(From, type, Short, SHORT, ~0) X(From, type, Int16, INT16, ~0) \
            X(From, type, UShort, USHORT, ~0) X(From, type, UInt16, UINT16, ~0) X(From, type, Word, WORD, ~0) \
                X(From, type, Int, INT, ~0) X(From, type, Int32, INT32, ~0) X(From, type, UInt, UINT, ~0) \
                    X(From, type, UInt32, UINT32, ~0) X(From, type, Long, LONG, ~0) X(From, type, ULong, ULONG, ~0) \
                        X(From, type, DWord, DWORD, ~0) X(From, type, IntPtr, INT_PTR, ~0) \
                            X(From, type, PtrdiffT, ptrdiff_t, ~0) X(From, type, UIntPtr, UINT_PTR, ~0) \
                                X(From, type, SizeT, size_t, ~0) X(From, type, ULongPtr, ULONG_PTR, ~0) \
                                    X(From, type, DWordPtr, DWORD_PTR, ~0) X(From, type, SIZET, SIZE_T, ~0) \
                                        X(From, type, LongLong, LONGLONG, ~0) X(From, type, Long64, LONG64, ~0) \
                                            X(From, type, Int64, INT64, ~0) X(From, type, ULongLong, ULONGLONG, ~0) \
                                                X(From, type, DWordLong, DWORDLONG, ~0) \
                                                    X(From, type, ULong64, ULONG64, ~0) \
                                                        X(From, type, DWord64, DWORD64, ~0) \
                                                            X(From, type, UInt64, UINT64, ~0)

#define DIRQL_INTSAFE_FROM_UINTPTR(X, From, type) \
    X(From, type, Char, CHAR, ~0) \
    X(From, type, UChar, UCHAR, 0) X(From, type, Int8, INT8, ~0) X(From, type, UInt8, UINT8, ~0) \
        X(From, type, Byte, BYTE, ~0) X(From, type, Short, SHORT, ~0) X(From, type, Int16, INT16, ~0) \
            X(From, type, UShort, USHORT, ~0) X(From, type, UInt16, UINT16, ~0) X(From, type, Word, WORD, ~0) \
                X(From, type, Int, INT, ~0) X(From, type, Int32, INT32, ~0) X(From, type, UInt, UINT, ~0) \
                    X(From, type, UInt32, UINT32, ~0) X(From, type, Long, LONG, ~0) X(From, type, ULong, ULONG, ~0) \
                        X(From, type, DWord, DWORD, ~0) X(From, type, IntPtr, INT_PTR, ~0) \
                            X(From, type, PtrdiffT, ptrdiff_t, ~0) X(From, type, LongPtr, LONG_PTR, ~0) \
                                X(From, type, SSIZET, SSIZE_T, ~0) X(From, type, ULongPtr, ULONG_PTR, ~0) \
                                    X(From, type, DWordPtr, DWORD_PTR, ~0) X(From, type, SIZET, SIZE_T, ~0) \
                                        X(From, type, LongLong, LONGLONG, ~0) X(From, type, Long64, LONG64, ~0) \
                                            X(From, type, Int64, INT64, ~0) X(From, type, ULongLong, ULONGLONG, ~0) \
                                                X(From, type, DWordLong, DWORDLONG, ~0) \
                                                    X(From, type, ULong64, ULONG64, ~0) \
                                                        X(From, type, DWord64, DWORD64, ~0) \
                                                            X(From, type, UInt64, UINT64, ~0)

#define DIRQL_INTSAFE_FROM_ULONGPTR(X, From, type) \
    X(From, type, Char, CHAR, ~0) \
    X(From, type, UChar, UCHAR, 0) X(From, type, Int8, INT8, ~0) X(From, type, UInt8, UINT8, ~0) \
        X(From, type, Byte, BYTE, ~0) X(From, type, Short, SHORT, ~0) X(From, type, Int16, INT16, ~0) \
            X(From, type, UShort, USHORT, ~0) X(From, type, UInt16, UINT16, ~0) X(From, type, Word, WORD, ~0) \
                X(From, type, Int, INT, ~0) X(From, type, Int32, INT32, ~0) X(From, type, UInt, UINT, ~0) \
                    X(From, type, UInt32, UINT32, ~0) X(From, type, Long, LONG, ~0) X(From, type, ULong, ULONG, ~0) \
                        X(From, type, DWord, DWORD, ~0) X(From, type, IntPtr, INT_PTR, ~0) \
                            X(From, type, PtrdiffT, ptrdiff_t, ~0) X(From, type, LongPtr, LONG_PTR, ~0) \
                                X(From, type, SSIZET, SSIZE_T, ~0) X(From, type, UIntPtr, UINT_PTR, ~0) \
                                    X(From, type, SizeT, size_t, ~0) X(From, type, LongLong, LONGLONG, ~0) \
                                        X(From, type, Long64, LONG64, ~0) X(From, type, Int64, INT64, ~0) \
                                            X(From, type, ULongLong, ULONGLONG, ~0) \
                                                X(From, type, DWordLong, DWORDLONG, ~0) \
                                                    X(From, type, ULong64, ULONG64, ~0) \
                                                        X(From, type, DWord64, DWORD64, ~0) \
                                                            X(From, type, UInt64, UINT64, ~0)

#define DIRQL_INTSAFE_FROM_LONGLONG(X, From, type) \
    X(From, type, Char, CHAR, ~0) \
    X(From, type, UChar, UCHAR, 0) X(From, type, Int8, INT8, ~0) X(From, type, UInt8, UINT8, ~0) \
        X(From, type, Byte, BYTE, ~0) X(From, type, Short, SHORT, ~0) X(From, type, Int16, INT16, ~0) \
            X(From, type, UShort, USHORT, ~0) X(From, type, UInt16, UINT16, ~0) X(From, type, Word, WORD, ~0) \
                X(From, type, Int, INT, ~0) X(From, type, Int32, INT32, ~0) X(From, type, UInt, UINT, ~0) \
                    X(From, type, UInt32, UINT32, ~0) X(From, type, Long, LONG, ~0) X(From, type, ULong, ULONG, ~0) \
                        X(From, type, DWord, DWORD, ~0) X(From, type, IntPtr, INT_PTR, ~0) \
                            X(From, type, PtrdiffT, ptrdiff_t, ~0) X(From, type, LongPtr, LONG_PTR, ~0) \
                                X(From, type, SSIZET, SSIZE_T, ~0) X(From, type, UIntPtr, UINT_PTR, ~0) \
                                    X(From, type, SizeT, size_t, ~0) X(From, type, ULongPtr, ULONG_PTR, ~0) \
                                        X(From, type, DWordPtr, DWORD_PTR, ~0) X(From, type, SIZET, SIZE_T, ~0) \
                                            X(From, type, ULongLong, ULONGLONG, ~0) \
                                                X(From, type, DWordLong, DWORDLONG, ~0) \
                                                    X(From, type, ULong64, ULONG64, ~0) \
                                                        X(From, type, DWord64, DWORD64, ~0) \
                                                            X(From, type, UInt64, UINT64, ~0)

#define DIRQL_INTSAFE_FROM_ULONGLONG(X, From, type) \
    X(From, type, Char, CHAR, ~0) \
    X(From, type, UChar, UCHAR, 0) X(From, type, Int8, INT8, ~0) X(From, type, UInt8, UINT8, ~0) \
        X(From, type, Byte, BYTE, ~0) X(From, type, Short, SHORT, ~0) X(From, type, Int16, INT16, ~0) \
            X(From, type, UShort, USHORT, ~0) X(From, type, UInt16, UINT16, ~0) X(From, type, Word, WORD, ~0) \
                X(From, type, Int, INT, ~0) X(From, type, Int32, INT32, ~0) X(From, type, UInt, UINT, ~0) \
                    X(From, type, UInt32, UINT32, ~0) X(From, type, Long, LONG, ~0) X(From, type, ULong, ULONG, ~0) \
                        X(From, type, DWord, DWORD, ~0) X(From, type, IntPtr, INT_PTR, ~0) \
                            X(From, type, PtrdiffT, ptrdiff_t, ~0) X(From, type, LongPtr, LONG_PTR, ~0) \
                                X(From, type, SSIZET, SSIZE_T, ~0) X(From, type, UIntPtr, UINT_PTR, ~0) \
                                    X(From, type, SizeT, size_t, ~0) X(From, type, ULongPtr, ULONG_PTR, ~0) \
                                        X(From, type, DWordPtr, DWORD_PTR, ~0) X(From, type, SIZET, SIZE_T, ~0) \
                                            X(From, type, LongLong, LONGLONG, ~0) X(From, type, Long64, LONG64, ~0) \
                                                X(From, type, Int64, INT64, ~0)

#define DIRQL_INTSAFE_CONVERSIONS(X) \
    DIRQL_INTSAFE_FROM_INT8(X, Int8, INT8) \
    DIRQL_INTSAFE_FROM_UINT8(X, UInt8, UINT8) \
    DIRQL_INTSAFE_FROM_UINT8(X, Byte, BYTE) \
    DIRQL_INTSAFE_FROM_SHORT(X, Short, SHORT) \
    DIRQL_INTSAFE_FROM_SHORT(X, Int16, INT16) \
    DIRQL_INTSAFE_FROM_USHORT(X, UShort, USHORT) \
    DIRQL_INTSAFE_FROM_USHORT(X, UInt16, UINT16) \
    DIRQL_INTSAFE_FROM_USHORT(X, Word, WORD) \
    DIRQL_INTSAFE_FROM_INT(X, Int, INT) \
    DIRQL_INTSAFE_FROM_INT(X, Int32, INT32) \
    DIRQL_INTSAFE_FROM_UINT(X, UInt, UINT) \
    DIRQL_INTSAFE_FROM_UINT(X, UInt32, UINT32) \
    DIRQL_INTSAFE_FROM_LONG(X, Long, LONG) \
    DIRQL_INTSAFE_FROM_ULONG(X, ULong, ULONG) \
    DIRQL_INTSAFE_FROM_ULONG(X, DWord, DWORD) \
    DIRQL_INTSAFE_FROM_INTPTR(X, IntPtr, INT_PTR) \
    DIRQL_INTSAFE_FROM_INTPTR(X, PtrdiffT, ptrdiff_t) \
    DIRQL_INTSAFE_FROM_LONGPTR(X, LongPtr, LONG_PTR) \
    DIRQL_INTSAFE_FROM_LONGPTR(X, SSIZET, SSIZE_T) \
    DIRQL_INTSAFE_FROM_UINTPTR(X, UIntPtr, UINT_PTR) \
    DIRQL_INTSAFE_FROM_UINTPTR(X, SizeT, size_t) \
    DIRQL_INTSAFE_FROM_ULONGPTR(X, ULongPtr, ULONG_PTR) \
    DIRQL_INTSAFE_FROM_ULONGPTR(X, DWordPtr, DWORD_PTR) \
    DIRQL_INTSAFE_FROM_ULONGPTR(X, SIZET, SIZE_T) \
    DIRQL_INTSAFE_FROM_LONGLONG(X, LongLong, LONGLONG) \
    DIRQL_INTSAFE_FROM_LONGLONG(X, Long64, LONG64) \
    DIRQL_INTSAFE_FROM_LONGLONG(X, Int64, INT64) \
    DIRQL_INTSAFE_FROM_ULONGLONG(X, ULongLong, ULONGLONG) \
    DIRQL_INTSAFE_FROM_ULONGLONG(X, DWordLong, DWORDLONG) \
    DIRQL_INTSAFE_FROM_ULONGLONG(X, ULong64, ULONG64) \
    DIRQL_INTSAFE_FROM_ULONGLONG(X, DWord64, DWORD64) \
    DIRQL_INTSAFE_FROM_ULONGLONG(X, UInt64, UINT64)

/* The types that are added, subtracted and multiplied: X(Name, type). */
#define DIRQL_INTSAFE_TYPES(X) \
    X(Int8, INT8) \
    X(UInt8, UINT8) X(Byte, BYTE) X(Short, SHORT) X(Int16, INT16) X(UShort, USHORT) X(UInt16, UINT16) X(Word, WORD) \
        X(Int, INT) X(Int32, INT32) X(UInt, UINT) X(UInt32, UINT32) X(Long, LONG) X(ULong, ULONG) X(DWord, DWORD) \
            X(IntPtr, INT_PTR) X(PtrdiffT, ptrdiff_t) X(LongPtr, LONG_PTR) X(SSIZET, SSIZE_T) X(UIntPtr, UINT_PTR) \
                X(SizeT, size_t) X(ULongPtr, ULONG_PTR) X(DWordPtr, DWORD_PTR) X(SIZET, SIZE_T) X(LongLong, LONGLONG) \
                    X(Long64, LONG64) X(Int64, INT64) X(ULongLong, ULONGLONG) X(DWordLong, DWORDLONG) \
                        X(ULong64, ULONG64) X(DWord64, DWORD64) X(UInt64, UINT64)

/* clang-format on */
