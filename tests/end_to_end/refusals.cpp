#include "tests/end_to_end/refusals.h"

#include <fmt/format.h>

#include <algorithm>
#include <catch2/catch.hpp>

namespace fieldpost::end_to_end {

Words faults_of(const Ran& ran, int exit) {
    Words faults;
    const auto claim = [&](bool holds, const std::string& fault) {
        if (!holds) {
            faults.push_back(fault);
        }
    };
    claim(ran.exit_code == exit, fmt::format("exit {}, promised is {}", ran.exit_code, exit));
    claim(ran.out.empty(), "something on stdout");
    claim(std::ranges::count(ran.err, '\n') == 1 && ran.err.ends_with('\n'),
          "not one line on stderr");
    claim(ran.err.starts_with("fieldpost: "), "stderr does not begin with the program's name");
    claim(ran.err.find("; ") != std::string::npos, "no next step");
    return faults;
}

namespace {

Words faults_of_json(const Ran& ran, int exit) {
    const auto document = Json::parse(ran.err, nullptr, false);
    if (document.is_discarded() || !document.contains("error")) {
        return {"with --json, no error object on stderr"};
    }
    const auto& error = document.at("error");
    Words faults;
    if (ran.exit_code != exit || error.value("exit", -1) != exit) {
        faults.push_back(fmt::format("with --json, exit {}", ran.exit_code));
    }
    for (const auto* key : {"code", "what", "next"}) {
        if (error.value(key, "").empty()) {
            faults.push_back(fmt::format("with --json, no {}", key));
        }
    }
    if (!error.contains("ids") || !error.at("ids").is_array()) {
        faults.emplace_back("with --json, no ids");
    }
    if (!ran.out.empty()) {
        faults.emplace_back("with --json, something on stdout");
    }
    return faults;
}

}  // namespace

Json state_of(const Office& office) {
    const auto status = office.ask({"status"});
    return {office.ask({"list", "--inbox", "--outbox", "--carried"}), status.at("outbox"),
            status.at("inbox"), status.at("roster_version")};
}

void check_refused(const Office& office, const Bad& bad,
                   const std::function<Json(const Office&)>& state) {
    const auto before = state(office);
    const auto ran = office.run(bad.words, bad.input);
    auto faults = faults_of(ran, bad.exit);
    auto in_json = bad.words;
    in_json.insert(in_json.begin(), "--json");
    std::ranges::move(faults_of_json(office.run(in_json, bad.input), bad.exit),
                      std::back_inserter(faults));
    const auto after = state(office);
    if (after != before) {
        faults.push_back("changed from " + before.dump() + " to " + after.dump());
    }
    CAPTURE(bad.what, bad.words, faults, ran);
    CHECK(faults.empty());
}

}  // namespace fieldpost::end_to_end
