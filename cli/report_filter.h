// The filters that `list` and `export` share.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "cli/command.h"

namespace fieldpost::wire {
class ListRequest;
}

namespace fieldpost::cli {

struct ReportFilter {
    bool inbox = false;
    bool outbox = false;
    bool carried = false;
    std::string state;
    std::string from;
    std::string to;
    std::string type;
    std::string since;
    std::string held_by;
    std::string priority;
    std::string outcome;
    std::string grep;
    bool unanswered = false;
    bool all_versions = false;
};

void add_filter(CLI::App& command, ReportFilter& filter);
// The filters that are set, as JSON.
nlohmann::ordered_json json_of(const ReportFilter& filter);
// Puts the filter into a request. invalid: a time that is none.
Outcome<void> fill(const ReportFilter& filter, wire::ListRequest& list);

}  // namespace fieldpost::cli
