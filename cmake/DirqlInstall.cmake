# What `cmake --install` puts where: the library, the headers, the program, and three ways to find them.
include(CMakePackageConfigHelpers)

if(NOT TARGET dirql)
    return()
endif()

set(package_directory "${CMAKE_INSTALL_LIBDIR}/cmake/dirql")

install(TARGETS dirql EXPORT dirqlTargets LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}")
if(TARGET dirql_tool)
    set_target_properties(dirql_tool PROPERTIES EXPORT_NAME tool)
    install(TARGETS dirql_tool EXPORT dirqlTargets RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
endif()

# The drivers' headers go below dirql/, where no host program meets <string.h> of the wrong width by accident.
foreach(headers IN ITEMS km shared um)
    if(EXISTS "${PROJECT_SOURCE_DIR}/include/${headers}")
        install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/${headers}" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/dirql")
    endif()
endforeach()
install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/dirql/" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/dirql")

configure_package_config_file(
    "${PROJECT_SOURCE_DIR}/cmake/dirqlConfig.cmake.in" "${PROJECT_BINARY_DIR}/cmake/dirqlConfig.cmake"
    INSTALL_DESTINATION "${package_directory}"
    PATH_VARS CMAKE_INSTALL_INCLUDEDIR
)
write_basic_package_version_file("${PROJECT_BINARY_DIR}/cmake/dirqlConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
install(EXPORT dirqlTargets NAMESPACE dirql:: DESTINATION "${package_directory}")
install(
    FILES "${PROJECT_BINARY_DIR}/cmake/dirqlConfig.cmake"
          "${PROJECT_BINARY_DIR}/cmake/dirqlConfigVersion.cmake"
          "${PROJECT_SOURCE_DIR}/cmake/DirqlDrivers.cmake"
          "${PROJECT_SOURCE_DIR}/cmake/driver_flags.txt"
          "${PROJECT_SOURCE_DIR}/cmake/linked_driver.hpp.in"
          "${PROJECT_SOURCE_DIR}/cmake/linked_driver.ld.in"
          "${PROJECT_SOURCE_DIR}/src/ke/exports/crt.def"
    DESTINATION "${package_directory}"
)

# Relative to the .pc file, so that an installed tree may be moved.
cmake_path(
    RELATIVE_PATH CMAKE_INSTALL_PREFIX BASE_DIRECTORY "${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig" OUTPUT_VARIABLE pc_to_prefix
)
set(pc_prefix "\${pcfiledir}/${pc_to_prefix}")
configure_file("${PROJECT_SOURCE_DIR}/cmake/dirql.pc.in" "${PROJECT_BINARY_DIR}/cmake/dirql.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/cmake/dirql.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DOCDIR}")
install(DIRECTORY "${PROJECT_SOURCE_DIR}/tools/gdb/" DESTINATION "${CMAKE_INSTALL_DATADIR}/dirql/gdb" FILES_MATCHING PATTERN "*.py" PATTERN "*.gdb")
