// How every function of fieldpost reports a failure, and what happens when we break a rule of our
// own.
//
// If the peer, the disk or the operator let us down: return Result. If absence is an ordinary
// answer: return std::optional. If we broke our own rule: ensure() aborts, in release builds too.
// Carrying on could acknowledge something that is not kept. No input from a peer ever reaches
// ensure().
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace fieldpost {

// The codes say what the caller can do next, not which line failed.
enum class Errc {
    malformed,       // breaks a rule in proto/WIRE.md; drop it
    untrusted,       // seal or signature does not verify, or the office is unknown
    not_found,       // no such thing here
    limit_exceeded,  // retrying unchanged will not help
    storage_full,    // free space, then retry
    unavailable,     // try again later; nothing was changed
    corrupt,         // stored data fails its own check; stop and tell the operator
    unsupported,     // made by a newer release; upgrade, then retry
    refused,         // a rule forbids it; retrying unchanged will not help
    no_memory,       // nothing was changed; the caller that asked for too much must not ask again
};

// Branch on `code`. `detail` is for the log and starts with the action that failed.
struct Error {
    Errc code;
    std::string detail;
};

inline std::unexpected<Error> fail(Errc code, std::string detail) {
    return std::unexpected<Error>(Error{code, std::move(detail)});
}

template <class T>
class [[nodiscard]] Result : public std::expected<T, Error> {
public:
    using std::expected<T, Error>::expected;
};

// For functions that succeed without a value.
inline Result<void> ok() {
    return {};
}

[[noreturn]] void broken_rule(const char* rule, const char* file, int line);

}  // namespace fieldpost

// Unwraps a Result, or returns its Error from the function that uses it. It is a macro, because
// only a macro can return from its caller. The counter lets one TRY stand inside another.
#define TRY(expression) FIELDPOST_TRY(expression, __COUNTER__)
#define FIELDPOST_TRY(expression, counter) FIELDPOST_TRY_AS(expression, counter)
#define FIELDPOST_TRY_AS(expression, counter)                               \
    ({                                                                      \
        auto&& tried_##counter = (expression);                              \
        if (!tried_##counter) {                                             \
            return ::std::unexpected(::std::move(tried_##counter).error()); \
        }                                                                   \
        *::std::move(tried_##counter);                                      \
    })

// We broke our own rule: prints file, line and rule, then aborts.
#define ensure(holds, rule) \
    ((holds) ? static_cast<void>(0) : ::fieldpost::broken_rule(rule, __FILE__, __LINE__))
