#include "sink/forms.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "cli/export/columns.h"
#include "proto/typed.h"
#include "sink/schema.h"

namespace fieldpost::sink {

namespace {

constexpr auto number_suffix = "__number";

// The names that the columns of a view have, in one case: its fixed ones, and for each field two.
std::set<std::string> taken_in(const std::vector<std::string>& names) {
    std::set<std::string> taken;
    for (const auto& fixed : report_columns()) {
        taken.insert(fixed);
    }
    for (const auto& name : names) {
        taken.insert(case_folded(name));
        taken.insert(case_folded(name + number_suffix));
    }
    return taken;
}

}  // namespace

Done<void> Forms::load() {
    std::map<std::string, Form> read;
    const auto types = database_->ask("SELECT type, view, shown FROM sink_form");
    if (!types) {
        return std::unexpected(types.error());
    }
    for (const auto& row : *types) {
        auto& form = read[row[0]];
        form.view = row[1];
        form.shown = std::stoll(row[2]);
    }
    const auto columns =
        database_->ask("SELECT type, key, name FROM sink_column ORDER BY type, place");
    if (!columns) {
        return std::unexpected(columns.error());
    }
    for (const auto& row : *columns) {
        auto& form = read[row[0]];
        form.places.emplace(row[1], form.names.size());
        form.names.push_back(row[2]);
    }
    forms_ = std::move(read);
    return {};
}

bool Forms::has(const std::string& type, const std::vector<std::string>& fields) const {
    if (type.empty()) {
        return true;
    }
    const auto found = forms_.find(type);
    if (found == forms_.end()) {
        return forms_.size() >= forms_max;
    }
    const auto& form = found->second;
    return form.names.size() >= fields_max ||
           std::ranges::all_of(fields, [&](const auto& key) { return form.places.contains(key); });
}

void Forms::add_type(const std::string& type) {
    const auto is_free = [&](const std::string& name) {
        return std::ranges::none_of(forms_, [&](const auto& one) {
            return case_folded(one.second.view) == case_folded("form_" + name);
        });
    };
    const auto view = "form_" + cli::free_name(type, is_free);
    forms_[type].view = view;
    database_->run("INSERT INTO sink_form (type, view, shown) VALUES ($1, $2, $3)",
                   {type, view, std::int64_t{-1}});
}

void Forms::add_field(const std::string& type, Form& form, const std::string& key) {
    const auto taken = taken_in(form.names);
    const auto is_free = [&](const std::string& name) {
        return !taken.contains(case_folded(name)) &&
               !taken.contains(case_folded(name + number_suffix));
    };
    const auto name = cli::free_name(key, is_free);
    database_->run("INSERT INTO sink_column (type, key, name, place) VALUES ($1, $2, $3, $4)",
                   {type, key, name, static_cast<std::int64_t>(form.names.size())});
    form.places.emplace(key, form.names.size());
    form.names.push_back(name);
}

Done<void> Forms::give(const std::map<std::string, std::vector<std::string>>& wanted) {
    // Another sink may have given names since.
    if (auto loaded = load(); !loaded) {
        return loaded;
    }
    for (const auto& [type, fields] : wanted) {
        if (!forms_.contains(type) && forms_.size() < forms_max) {
            add_type(type);
        }
        const auto found = forms_.find(type);
        for (const auto& key : fields) {
            if (found != forms_.end() && found->second.names.size() < fields_max &&
                !found->second.places.contains(key)) {
                add_field(type, found->second, key);
            }
        }
    }
    return database_->flush();
}

bool Forms::lacks_columns(const Form& form) {
    return form.shown != static_cast<std::int64_t>(form.names.size());
}

Done<void> Forms::show(const std::string& type) {
    begin(*database_, Patience::little);
    // Another sink may have given names since, or made the view.
    auto done = load();
    const auto found = forms_.find(type);
    if (done && found != forms_.end() && lacks_columns(found->second)) {
        const auto& form = found->second;
        std::vector<const std::string*> keys(form.names.size());
        for (const auto& [key, place] : form.places) {
            keys[place] = &key;
        }
        std::string fields;
        for (std::size_t i = 0; i < keys.size(); ++i) {
            fields += fmt::format(", {} AS {}, {} AS {}", database_->field(*keys[i]),
                                  quoted_name(form.names[i]), database_->number(*keys[i]),
                                  quoted_name(form.names[i] + number_suffix));
        }
        for (const auto& statement :
             view_statements(database_->dialect(), form.view, form_select(type, fields))) {
            database_->run(statement);
        }
        database_->run("UPDATE sink_form SET shown = $1 WHERE type = $2",
                       {static_cast<std::int64_t>(keys.size()), type});
    }
    database_->run("COMMIT");
    done = done ? database_->flush() : done;
    if (!done) {
        database_->run("ROLLBACK");
        (void)database_->flush();
        return done;
    }
    return load();
}

Done<void> Forms::show() {
    const auto now = std::chrono::steady_clock::now();
    // Another sink may have made it meanwhile.
    std::erase_if(failed_, [&](const auto& one) {
        const auto form = forms_.find(one.first);
        return form == forms_.end() || !lacks_columns(form->second);
    });
    std::vector<std::string> behind;
    for (const auto& [type, form] : forms_) {
        const auto failed = failed_.find(type);
        if (lacks_columns(form) && (failed == failed_.end() || now >= failed->second.again_at)) {
            behind.push_back(type);
        }
    }
    for (const auto& type : behind) {
        auto done = show(type);
        if (done) {
            failed_.erase(type);
            continue;
        }
        const bool is_of_view =
            done.error().kind != Trouble::Kind::again && done.error().kind != Trouble::Kind::gone;
        failed_.insert_or_assign(type,
                                 Failed{now + std::chrono::minutes{1}, std::move(done.error())});
        if (!is_of_view) {
            break;  // the next one would wait too
        }
    }
    return failed_.empty() ? Done<void>{} : std::unexpected(failed_.begin()->second.trouble);
}

}  // namespace fieldpost::sink
