# avb_room(NAME SOURCES ... [ROOMS ...] [LIBS ...]): one room of src/, static library bal_NAME. Its objects also go into the
# shared library libavbalance (cmake/AvbPackage.cmake).
function(avb_room name)
  cmake_parse_arguments(R "" "" "SOURCES;ROOMS;LIBS" ${ARGN})
  add_library(bal_${name} STATIC ${R_SOURCES})
  target_include_directories(bal_${name} PUBLIC ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src)
  list(TRANSFORM R_ROOMS PREPEND bal_)
  target_link_libraries(bal_${name} PUBLIC ${R_ROOMS} PRIVATE ${R_LIBS})
  set_property(GLOBAL APPEND PROPERTY AVB_ROOMS ${name})
  set_property(GLOBAL APPEND PROPERTY AVB_ROOM_LIBS ${R_LIBS})
endfunction()

# avb_fingerprint(OUT ROOM...): the file OUT holds, as a C string literal, what determines the numbers that these rooms compute
# (cmake/Fingerprint.cmake). Work is continued only by a build with the fingerprint it was begun with.
function(avb_fingerprint out)
  string(TOUPPER "${CMAKE_BUILD_TYPE}" type)
  get_directory_property(options COMPILE_OPTIONS)
  set(built "${CMAKE_C_COMPILER_ID} ${CMAKE_C_COMPILER_VERSION} ${CMAKE_SYSTEM_PROCESSOR} ${CMAKE_C_FLAGS} ${CMAKE_C_FLAGS_${type}} ${options}")
  list(TRANSFORM ARGN PREPEND ${PROJECT_SOURCE_DIR}/src/ OUTPUT_VARIABLE folders)
  list(TRANSFORM folders APPEND /*.[ch])
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${folders} ${PROJECT_SOURCE_DIR}/include/avbalance/*.h)
  string(REPLACE ";" "," rooms "${ARGN}")
  add_custom_command(OUTPUT ${out}
    COMMAND ${CMAKE_COMMAND} -DOUT=${out} -DROOT=${PROJECT_SOURCE_DIR} -DROOMS=${rooms} "-DBUILT=${built}"
            -P ${PROJECT_SOURCE_DIR}/cmake/Fingerprint.cmake
    DEPENDS ${sources} ${PROJECT_SOURCE_DIR}/cmake/Fingerprint.cmake VERBATIM)
endfunction()

# avb_test(ROOM NAME SOURCES ... [ROOMS ...] [LIBS ...]): one cmocka program, CTest test ROOM.NAME with label ROOM.
function(avb_test room name)
  cmake_parse_arguments(T "" "TIMEOUT" "SOURCES;ROOMS;LIBS" ${ARGN})
  add_executable(test_${room}_${name} ${T_SOURCES})
  list(TRANSFORM T_ROOMS PREPEND bal_)
  target_link_libraries(test_${room}_${name} PRIVATE bal_${room} ${T_ROOMS} PkgConfig::CMOCKA ${T_LIBS} m)
  target_include_directories(test_${room}_${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  target_compile_definitions(test_${room}_${name} PRIVATE AVB_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  add_test(NAME ${room}.${name} COMMAND test_${room}_${name})
  if(NOT T_TIMEOUT)
    set(T_TIMEOUT 300)
  endif()
  set_tests_properties(${room}.${name} PROPERTIES LABELS ${room} TIMEOUT ${T_TIMEOUT} SKIP_RETURN_CODE 77
    ENVIRONMENT OMP_WAIT_POLICY=passive) # as the program sets for itself
  if(room MATCHES "engine|train") # two threads that wait for each other all the time: not beside another test
    set_tests_properties(${room}.${name} PROPERTIES PROCESSORS 2)
  endif()
endfunction()
