# dirql_add_driver, dirql_add_app: how a project builds NT drivers and programs that run them.
# Used by this source tree and, installed, by find_package(dirql).
include_guard(GLOBAL)

# Where the drivers' headers and the C run-time's list lie: beside this file once installed, else in the source tree.
function(_dirql_locate)
    cmake_path(GET CMAKE_CURRENT_FUNCTION_LIST_DIR PARENT_PATH root)
    if(NOT DIRQL_DRIVER_HEADERS)
        set(DIRQL_DRIVER_HEADERS "${root}/include")
    endif()
    set(crt "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/crt.def")
    if(NOT EXISTS "${crt}")
        set(crt "${root}/src/ke/exports/crt.def")
    endif()
    set_property(GLOBAL PROPERTY DIRQL_DRIVER_HEADERS "${DIRQL_DRIVER_HEADERS}")
    set_property(GLOBAL PROPERTY DIRQL_CRT_DEF "${crt}")
endfunction()

# Reads driver_flags.txt into global properties DIRQL_FLAGS_<section>.
function(_dirql_read_flags)
    file(STRINGS "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/driver_flags.txt" lines)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/driver_flags.txt")
    foreach(line IN LISTS lines)
        if(line MATCHES "^\\[(.+)\\]$")
            set(section "${CMAKE_MATCH_1}")
            set_property(GLOBAL PROPERTY "DIRQL_FLAGS_${section}" "")
        elseif(NOT line MATCHES "^#|^$")
            set_property(GLOBAL APPEND PROPERTY "DIRQL_FLAGS_${section}" "${line}")
        endif()
    endforeach()
endfunction()

# Sets `result` to the compiler's own headers, which -nostdinc leaves out with the host's. An option: as an include
# directory CMake would leave it out too, for the compiler knows it.
function(_dirql_builtin_headers result language)
    set(${result} "" PARENT_SCOPE)
    if(CMAKE_${language}_COMPILER)
        execute_process(
            COMMAND "${CMAKE_${language}_COMPILER}" -print-file-name=include
            OUTPUT_VARIABLE directory
            OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY
        )
        set(${result} "SHELL:-isystem \"${directory}\"" PARENT_SCOPE)
    endif()
endfunction()

# dirql::driver_options: what driver code is compiled with, for a target that dirql_add_driver does not make.
function(_dirql_make_driver_options)
    foreach(section IN ITEMS define include compile compile-c compile-cxx compile-gcc compile-clang)
        get_property("${section}" GLOBAL PROPERTY "DIRQL_FLAGS_${section}")
    endforeach()
    get_property(headers GLOBAL PROPERTY DIRQL_DRIVER_HEADERS)
    _dirql_builtin_headers(builtin-c C)
    _dirql_builtin_headers(builtin-cxx CXX)
    add_library(dirql::driver_options INTERFACE IMPORTED GLOBAL)
    target_include_directories(dirql::driver_options SYSTEM INTERFACE "${headers}/km" "${headers}/km/crt" "${headers}/shared")
    target_compile_definitions(dirql::driver_options INTERFACE ${define})
    target_compile_options(
        dirql::driver_options
        INTERFACE
            ${include}
            ${compile}
            "$<$<COMPILE_LANGUAGE:C>:${compile-c};${builtin-c}>"
            "$<$<COMPILE_LANGUAGE:CXX>:${compile-cxx};${builtin-cxx}>"
            "$<$<COMPILE_LANG_AND_ID:C,GNU>:${compile-gcc}>"
            "$<$<COMPILE_LANG_AND_ID:CXX,GNU>:${compile-gcc}>"
            "$<$<COMPILE_LANG_AND_ID:C,Clang>:${compile-clang}>"
            "$<$<COMPILE_LANG_AND_ID:CXX,Clang>:${compile-clang}>"
    )
endfunction()

# Whatever the compiler, the linked form is joined by binutils: one script, one behaviour.
find_program(DIRQL_LD NAMES ld.bfd ld REQUIRED)
find_program(DIRQL_OBJCOPY NAMES objcopy REQUIRED)
mark_as_advanced(DIRQL_LD DIRQL_OBJCOPY)

_dirql_locate()
_dirql_read_flags()
_dirql_make_driver_options()

# Sets `result` to the files that `path` includes and that are no headers of dirql's: beside it, or in a directory of
# `places`. Conditions around the directives are not looked at.
function(_dirql_included_files result path places)
    cmake_path(GET path PARENT_PATH beside)
    set(found "")
    file(STRINGS "${path}" directives REGEX "^[ \t]*#[ \t]*include[ \t]*[\"<]")
    foreach(directive IN LISTS directives)
        string(REGEX REPLACE "^[^\"<]*[\"<]([^\">]+).*" "\\1" name "${directive}")
        foreach(place IN LISTS beside places)
            if(EXISTS "${place}/${name}" AND NOT IS_DIRECTORY "${place}/${name}")
                list(APPEND found "${place}/${name}")
                break()
            endif()
        endforeach()
    endforeach()
    set(${result} "${found}" PARENT_SCOPE)
endfunction()

# Sets `result` to whether a source says __try, or one of the files that it includes does. What this does not see - an
# operand that is a macro - is refused by __try itself (dirql_km/seh.h). Changed files are looked at again when the build
# system next runs CMake, which the dependency makes happen.
function(_dirql_uses_seh result source places)
    set(keyword "(^|[^A-Za-z0-9_])(__try|__except|__finally|try[ \t\r\n]*{)")
    set(${result} FALSE PARENT_SCOPE)
    set(files "${source}")
    set(seen "")
    while(files)
        list(POP_FRONT files file)
        cmake_path(NORMAL_PATH file)
        if(file IN_LIST seen OR NOT EXISTS "${file}")
            continue()
        endif()
        list(APPEND seen "${file}")
        set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${file}")
        file(READ "${file}" text)
        if(text MATCHES "${keyword}")
            set(${result} TRUE PARENT_SCOPE)
        endif()
        _dirql_included_files(more "${file}" "${places}")
        list(APPEND files ${more})
    endwhile()
endfunction()

# Sources that use SEH, in either spelling, are compiled unoptimised: sets -O0 on them.
function(_dirql_mark_seh_sources force includes)
    get_property(seh_flags GLOBAL PROPERTY DIRQL_FLAGS_seh)
    set(places "")
    foreach(directory IN LISTS includes)
        cmake_path(ABSOLUTE_PATH directory)
        list(APPEND places "${directory}")
    endforeach()
    foreach(source IN LISTS ARGN)
        cmake_path(ABSOLUTE_PATH source OUTPUT_VARIABLE path)
        _dirql_uses_seh(uses_seh "${path}" "${places}")
        if(force OR uses_seh)
            set_property(SOURCE "${source}" APPEND PROPERTY COMPILE_OPTIONS ${seh_flags})
        endif()
    endforeach()
endfunction()

# An objcopy rename file: the entry point gets the driver's name, and the C run-time that a plug-in would take from dirql
# is taken from there here too, not from the host.
function(_dirql_write_renames file identifier)
    set(renames "DriverEntry ${identifier}_DriverEntry\n")
    get_property(crt_def GLOBAL PROPERTY DIRQL_CRT_DEF)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${crt_def}")
    file(STRINGS "${crt_def}" entries REGEX "^DIRQL_CRT(_SYNTHESISED)?\\(")
    foreach(entry IN LISTS entries)
        string(REGEX REPLACE "^DIRQL_CRT(_SYNTHESISED)?\\( *([A-Za-z0-9_]+).*" "\\2" symbol "${entry}")
        string(APPEND renames "${symbol} dirql_crt_${symbol}\n")
    endforeach()
    file(CONFIGURE OUTPUT "${file}" CONTENT "${renames}" @ONLY)
endfunction()

# NAME_linked: the driver's objects joined into one that a host executable links. Everything but its entry point is
# local to it, so two drivers in one program may both define `g_Device`.
function(_dirql_add_linked_form name identifier integrity)
    set(directory "${CMAKE_CURRENT_BINARY_DIR}/${name}_linked")
    configure_file("${CMAKE_CURRENT_FUNCTION_LIST_DIR}/linked_driver.ld.in" "${directory}/${identifier}.ld" @ONLY)
    configure_file(
        "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/linked_driver.hpp.in" "${directory}/include/${identifier}_driver.hpp" @ONLY
    )
    _dirql_write_renames("${directory}/${identifier}.syms" "${identifier}")

    set(joined "${directory}/${identifier}_joined.o")
    set(linked "${directory}/${identifier}_linked.o")
    set(keep "")
    foreach(symbol IN ITEMS text_begin text_end data_begin data_end bss_begin bss_end)
        list(APPEND keep "--keep-global-symbol=dirql_${symbol}_${identifier}")
    endforeach()
    # A section that joined nothing has lost its flags.
    set(sections "--set-section-flags=dirql_data_${identifier}=alloc,load,contents,data"
                 "--set-section-flags=dirql_bss_${identifier}=alloc"
    )
    add_custom_command(
        OUTPUT "${linked}"
        COMMAND "${DIRQL_LD}" -r -d --force-group-allocation -T "${directory}/${identifier}.ld" -o "${joined}" "$<TARGET_OBJECTS:${name}_objects>"
        COMMAND "${DIRQL_OBJCOPY}" "--redefine-syms=${directory}/${identifier}.syms" ${sections} "${joined}" "${linked}"
        COMMAND "${DIRQL_OBJCOPY}" "--keep-global-symbol=${identifier}_DriverEntry" ${keep} "${linked}"
        DEPENDS "$<TARGET_OBJECTS:${name}_objects>" "${directory}/${identifier}.ld" "${directory}/${identifier}.syms"
        COMMENT "Joining driver ${identifier} for linking"
        COMMAND_EXPAND_LISTS VERBATIM
    )
    add_library(${name}_linked STATIC "${linked}")
    set_source_files_properties("${linked}" PROPERTIES EXTERNAL_OBJECT ON GENERATED ON)
    set_target_properties(${name}_linked PROPERTIES LINKER_LANGUAGE C)
    target_include_directories(${name}_linked INTERFACE "${directory}/include")
endfunction()

# drivers::short is no C++.
function(_dirql_check_identifier name identifier)
    set(keywords
        alignas alignof and and_eq asm auto bitand bitor bool break case catch char char8_t char16_t char32_t class compl
        concept const consteval constexpr constinit const_cast continue co_await co_return co_yield decltype default delete
        do double dynamic_cast else enum explicit export extern false float for friend goto if inline int long mutable
        namespace new noexcept not not_eq nullptr operator or or_eq private protected public register reinterpret_cast
        requires return short signed sizeof static static_assert static_cast struct switch template this thread_local throw
        true try typedef typeid typename union unsigned using virtual void volatile wchar_t while xor xor_eq
    )
    if(identifier IN_LIST keywords)
        message(FATAL_ERROR "dirql_add_driver(${name}): drivers::${identifier} cannot be: a C++ keyword. Give it another OUTPUT_NAME.")
    endif()
endfunction()

# dirql_add_driver(NAME SOURCES... [OPTIONS option...] [INCLUDES directory...] [OUTPUT_NAME name] [NO_PREEMPT] [SEH]
#                  [INTEGRITY])
#
# NAME           the plug-in, NAME.so (OUTPUT_NAME.so), for Machine::load and `dirql run`
# NAME_linked    the same driver to link into a host program; it adds <OUTPUT_driver.hpp> with drivers::OUTPUT, where
#                OUTPUT is the output name as a C identifier
# OPTIONS        further compiler options;  INCLUDES: further include directories
# NO_PREEMPT     no preemption point at each basic block (exports still are)
# SEH            compile every source unoptimised; sources that say __try or try {, themselves or in a file that they
#                include from beside them or from INCLUDES, are found without being told
# INTEGRITY      sets IMAGE_DLLCHARACTERISTICS_FORCE_INTEGRITY in the image: ObRegisterCallbacks and
#                PsSetCreateProcessNotifyRoutineEx ask for it
function(dirql_add_driver name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "NO_PREEMPT;SEH;INTEGRITY" "OUTPUT_NAME" "SOURCES;OPTIONS;INCLUDES")
    set(sources ${arg_SOURCES} ${arg_UNPARSED_ARGUMENTS})
    if(NOT sources)
        message(FATAL_ERROR "dirql_add_driver(${name}): no sources")
    endif()
    if(NOT arg_OUTPUT_NAME)
        set(arg_OUTPUT_NAME "${name}")
    endif()
    string(MAKE_C_IDENTIFIER "${arg_OUTPUT_NAME}" identifier)
    _dirql_check_identifier(${name} "${identifier}")
    _dirql_mark_seh_sources("${arg_SEH}" "${arg_INCLUDES}" ${sources})

    add_library(${name}_objects OBJECT ${sources})
    set_target_properties(${name}_objects PROPERTIES INTERPROCEDURAL_OPTIMIZATION OFF)
    foreach(language IN ITEMS C CXX) # the level is driver_flags.txt's, or OPTIONS'
        set_property(TARGET ${name}_objects PROPERTY ${language}_STANDARD)
    endforeach()
    target_link_libraries(${name}_objects PRIVATE dirql::driver_options)
    # What comes by linking stands behind a target's own options; said here as well, it leaves OPTIONS the last word.
    target_compile_options(${name}_objects PRIVATE "$<TARGET_PROPERTY:dirql::driver_options,INTERFACE_COMPILE_OPTIONS>")
    target_include_directories(${name}_objects PRIVATE ${arg_INCLUDES})
    if(NOT arg_NO_PREEMPT)
        get_property(preempt GLOBAL PROPERTY DIRQL_FLAGS_preempt)
        get_property(preempt-clang GLOBAL PROPERTY DIRQL_FLAGS_preempt-clang)
        target_compile_options(
            ${name}_objects
            PRIVATE ${preempt} "$<$<COMPILE_LANG_AND_ID:C,Clang>:${preempt-clang}>"
                    "$<$<COMPILE_LANG_AND_ID:CXX,Clang>:${preempt-clang}>"
        )
    endif()
    target_compile_options(${name}_objects PRIVATE ${arg_OPTIONS})

    get_property(link_flags GLOBAL PROPERTY DIRQL_FLAGS_link)
    add_library(${name} MODULE "$<TARGET_OBJECTS:${name}_objects>")
    set_target_properties(
        ${name} PROPERTIES PREFIX "" SUFFIX ".so" OUTPUT_NAME "${arg_OUTPUT_NAME}" LINKER_LANGUAGE C NO_SONAME ON
    )
    target_link_options(${name} PRIVATE ${link_flags})
    target_link_libraries(${name} PRIVATE gcc)

    set(integrity false)
    if(arg_INTEGRITY)
        set(integrity true)
        get_property(integrity_flags GLOBAL PROPERTY DIRQL_FLAGS_integrity)
        target_link_options(${name} PRIVATE ${integrity_flags})
    endif()
    _dirql_add_linked_form(${name} ${identifier} ${integrity})
endfunction()

# dirql_add_app(NAME SOURCES... [DRIVERS driver...])
#
# A host program that boots machines. DRIVERS: drivers of dirql_add_driver, linked in as drivers::<output>; the
# definition DRIVER_PATH_<output> is the plug-in's path as a string. <output>: its output name as a C identifier.
function(dirql_add_app name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;DRIVERS")
    add_executable(${name} ${arg_SOURCES} ${arg_UNPARSED_ARGUMENTS})
    _dirql_link_drivers(${name} ${arg_DRIVERS})
    target_link_libraries(${name} PRIVATE dirql::dirql)
endfunction()

function(_dirql_link_drivers target)
    foreach(driver IN LISTS ARGN)
        get_target_property(identifier ${driver} OUTPUT_NAME)
        string(MAKE_C_IDENTIFIER "${identifier}" identifier)
        target_link_libraries(${target} PRIVATE ${driver}_linked)
        target_compile_definitions(${target} PRIVATE "DRIVER_PATH_${identifier}=\"$<TARGET_FILE:${driver}>\"")
        add_dependencies(${target} ${driver})
    endforeach()
endfunction()
