// A report as list and show print it, in words and in JSON.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace fieldpost::wire {
class Entry;
}

namespace fieldpost::cli {

nlohmann::ordered_json list_json(const wire::Entry& entry);
// `sums` are those of the attachments (attachments.h); empty: they could not be read.
nlohmann::ordered_json show_json(const wire::Entry& entry, const std::vector<std::string>& sums);
// Chosen by the name's ending, as a web server would choose it. Empty for others.
std::string media_type_of(const std::string& name);
// "hyesan-42"; for a run that is only carried "hyesan-40..47".
std::string id_of(const wire::Entry& entry);
// "to hq +1", "from hq".
std::string with_whom(const wire::Entry& entry);

}  // namespace fieldpost::cli
