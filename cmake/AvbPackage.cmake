# The shared library made of all rooms, and what installs beside it: headers, pkg-config file, CMake package.
include(CMakePackageConfigHelpers)
get_property(rooms GLOBAL PROPERTY AVB_ROOMS)
get_property(libs GLOBAL PROPERTY AVB_ROOM_LIBS)
list(REMOVE_DUPLICATES libs)

add_library(libavbalance SHARED)
foreach(room ${rooms})
  target_sources(libavbalance PRIVATE $<TARGET_OBJECTS:bal_${room}>)
endforeach()
target_link_libraries(libavbalance PRIVATE ${libs})
target_include_directories(libavbalance INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
set_target_properties(libavbalance PROPERTIES OUTPUT_NAME avbalance VERSION ${PROJECT_VERSION} SOVERSION 0 EXPORT_NAME avbalance
  LINKER_LANGUAGE C)
target_link_options(libavbalance PRIVATE -Wl,--version-script=${CMAKE_CURRENT_SOURCE_DIR}/cmake/libavbalance.map)
set_target_properties(libavbalance PROPERTIES LINK_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/cmake/libavbalance.map)
if(NOT AVB_SANITIZE)
  target_link_options(libavbalance PRIVATE -Wl,--no-undefined)
endif()

install(TARGETS libavbalance EXPORT avbalance LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY include/avbalance DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
install(FILES LICENSE README.md CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR} OPTIONAL)

# The package may be moved: both files find the prefix from where they lie.
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/avbalance)
file(RELATIVE_PATH AVB_PC_PREFIX /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(cmake/avbalance.pc.in avbalance.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/avbalance.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
install(EXPORT avbalance NAMESPACE avbalance:: FILE avbalanceConfig.cmake DESTINATION ${package_dir})
write_basic_package_version_file(avbalanceConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/avbalanceConfigVersion.cmake DESTINATION ${package_dir})
