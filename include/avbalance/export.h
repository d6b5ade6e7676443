/* Compiler attributes used by the public headers: what is exported, what must be checked. */
#ifndef AVBALANCE_EXPORT_H
#define AVBALANCE_EXPORT_H

#if defined(__GNUC__)
#define BAL_EXPORT            __attribute__((visibility("default")))
#define BAL_MUST_USE          __attribute__((warn_unused_result))
#define BAL_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define BAL_EXPORT
#define BAL_MUST_USE
#define BAL_PRINTF(fmt, args)
#endif

#ifdef __cplusplus
#define BAL_API extern "C" BAL_EXPORT
#else
#define BAL_API BAL_EXPORT
#endif

#endif
