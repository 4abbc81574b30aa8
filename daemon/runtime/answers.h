// The command's requests, decoded, and the answers to them. Generated classes stay in the .cpp.
#pragma once

#include <functional>
#include <string>
#include <variant>
#include <vector>

#include "daemon/engine/engine.h"
#include "daemon/engine/ledger.h"
#include "daemon/runtime/links.h"

namespace fieldpost::runtime {

class Bundles;
class Coverage;
class Folders;
class Sinks;

// A reader may look at reports, states and the feed. It changes nothing here.
enum class Rights { all, reader };

// Facts beyond the ledger that some requests need.
struct Surroundings {
    WallTime started;
    std::chrono::milliseconds longest_batch{};  // since then, of the processor's time
    Now now;
    // A walk over many reports ends its part once this is true.
    std::function<bool()> is_spent = [] { return false; };
    std::set<OfficeId> linked;
    std::map<OfficeId, Links::Traffic> traffic;
    std::set<OfficeId> in_small_segments;
    Dialler* dialler = nullptr;
    std::vector<engine::LinkView> links{};
    Bundles* bundles = nullptr;
    Folders* folders = nullptr;
    Sinks* sinks = nullptr;
    Coverage* coverage = nullptr;
};

// Either the answer, or inputs for the engine, whose notices make the answer.
struct Pending {
    std::vector<engine::Input> inputs;
    // Makes the answer once the inputs were handled. Empty: the notices alone make it.
    std::function<Result<Bytes>(const engine::Ledger&, const std::vector<engine::Notice>&)>
        finish{};
};
using Handled = std::variant<Bytes, Pending>;

// `first_request` numbers the inputs. An Error is the store's.
Result<Handled> handle_request(const engine::Ledger& ledger, BytesView request, Rights rights,
                               std::uint64_t first_request, const Surroundings& surroundings);
// Once all inputs of a Pending were handled and committed; again in a transaction, for reading.
Result<Bytes> finish_request(const engine::Ledger& ledger, const Pending& pending,
                             const std::vector<engine::Notice>& notices);
// The store would not take it: nothing was done.
Bytes refuse_request(const Error& error);

}  // namespace fieldpost::runtime
