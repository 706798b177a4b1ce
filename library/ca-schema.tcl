# ca-schema.tcl --
#       The tables of an authority behind a TDBC connection: what they are, how they are made, and
#       whether they are there (ca-database.tcl).

namespace eval ::tls::CaDatabase {
    # The version of the schema that this file makes and knows.
    variable version 1

    # Words that databases have different ones for: a number that counts up by itself, a text of any
    # length, a text that can be a key, what follows a table's columns; what makes a row that is read
    # others' to wait for; and how the columns of many rows become one text.
    variable dialects {
        sqlite3 {
            @key@ {INTEGER PRIMARY KEY AUTOINCREMENT}
            @text@ TEXT
            @word@ TEXT
            @end@ {}
            @lock@ {}
            @lines@ {group_concat(
                serial || char(9) || expiry || char(9) || revocation || char(9) || expires
                    || char(9) || place,
                char(10))}
        }
        postgres {
            @key@ {BIGSERIAL PRIMARY KEY}
            @text@ TEXT
            @word@ TEXT
            @end@ {}
            @lock@ {FOR UPDATE}
            @lines@ {string_agg(
                concat_ws(chr(9), serial, expiry, revocation, expires, place),
                chr(10))}
        }
        mysql {
            @key@ {BIGINT AUTO_INCREMENT PRIMARY KEY}
            @text@ MEDIUMTEXT
            @word@ {VARCHAR(255)}
            @end@ {ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin}
            @lock@ {FOR UPDATE}
            @lines@ {group_concat(
                concat_ws(char(9), serial, expiry, revocation, expires, place)
                separator '
')}
        }
    }

    # The schema, statement by statement. The manual page tls_ca explains it.
    variable schema {
        {
            CREATE TABLE tls_ca_state (
                id INTEGER PRIMARY KEY,
                changes BIGINT NOT NULL,
                serial @word@,
                crl_number @word@,
                unique_subject INTEGER NOT NULL,
                last_list BIGINT
            ) @end@
        }
        {
            CREATE TABLE tls_ca_certificate (
                place @key@,
                status CHAR(1) NOT NULL,
                expiry @word@ NOT NULL,
                expires BIGINT NOT NULL,
                revocation @word@ NOT NULL,
                serial @word@ NOT NULL,
                file @text@ NOT NULL,
                subject @text@ NOT NULL,
                subject_hash CHAR(64) NOT NULL,
                certificate @text@
            ) @end@
        }
        {
            CREATE UNIQUE INDEX tls_ca_by_serial ON tls_ca_certificate (serial)
        }
        {
            CREATE INDEX tls_ca_by_subject ON tls_ca_certificate (subject_hash, status)
        }
        {
            CREATE INDEX tls_ca_by_end ON tls_ca_certificate (status, expires, place)
        }
        {
            CREATE TABLE tls_ca_version (version INTEGER NOT NULL) @end@
        }
    }
}

# tls::CaDatabase db create --
#       Makes the tables, and begins a transaction that changes them.
#
# Arguments:
#       database    The connection.
#       unique      Whether the subjects of valid certificates must differ.
#       patience    How many milliseconds to wait.
#
# Results:
#       None.
#
# Errors:
#       When there is an authority already, or a table of somebody else's.
proc ::tls::CaDatabase::create {database unique patience} {
    variable version
    set kind [kind $database]
    if {$kind eq "sqlite3"} {
        # Readers and a writer don't wait for each other then. Where it can't be had, they do.
        catch {Ask $database {PRAGMA journal_mode = WAL}}
    }
    Begin $database $kind change $patience
    try {
        if {![Present $database $kind tls_ca_version]} {
            Tables $database $kind
            if {$kind eq "mysql"} {
                # Making a table has ended the transaction.
                commit $database
                Begin $database $kind change $patience
            }
        }
        set found [Version $database]
        if {$found eq {}} {
            Ask $database {INSERT INTO tls_ca_version (version) VALUES (:version)} \
                [dict create version $version]
        } elseif {$found ne $version} {
            Unknown $found
        }
        if {[llength [State $database $kind 1]] > 0} {
            throw {TLS CA DATABASE present} "the database has an authority already"
        }
        Ask $database {
            INSERT INTO tls_ca_state (id, changes, unique_subject) VALUES (1, 0, :flag)
        } [dict create flag $unique]
    } on error {message options} {
        catch {rollback $database}
        return -options $options $message
    }
    return
}

# What the database says of the authority, once it is known that this file understands it; nothing if
# there is none. With a lock no other command that changes anything has one before the transaction ends.
proc ::tls::CaDatabase::State {database kind lock} {
    variable version
    variable dialects
    set row [lindex [Ask $database "
        SELECT (SELECT max(version) FROM tls_ca_version), serial, crl_number, unique_subject, last_list
        FROM tls_ca_state WHERE id = 1 [expr {$lock ? [dict get $dialects $kind @lock@] : {}}]
    "] 0]
    if {$row ne {} && [lindex $row 0] ne $version} {
        Unknown [lindex $row 0]
    }
    return [lrange $row 1 end]
}

# The version of the tables that are there.
proc ::tls::CaDatabase::Version {database} {
    return [lindex [Ask $database {SELECT max(version) FROM tls_ca_version}] 0 0]
}

# Says that the tables have a version that this file doesn't know.
proc ::tls::CaDatabase::Unknown {found} {
    variable version
    throw [list TLS CA DATABASE version $found] \
        "the database has version $found of the schema, and this package knows $version"
}

# Says that there is no authority.
proc ::tls::CaDatabase::Absent {} {
    throw {TLS CA DATABASE absent} "the database has no authority: tls::ca -import makes one"
}

# Raises an error again, unless the database has no authority, or one of another version: then says that.
proc ::tls::CaDatabase::Explain {database kind message options} {
    variable version
    if {![catch {Present $database $kind tls_ca_version} present] && !$present} {
        Absent
    }
    if {![catch {Version $database} found] && $found ne $version} {
        if {$found eq {}} {
            Absent
        }
        Unknown $found
    }
    return -options $options $message
}

# Whether there is a table of this name.
proc ::tls::CaDatabase::Present {database kind name} {
    set sql [dict get {
        sqlite3 {SELECT name FROM sqlite_master WHERE lower(name) = :name}
        postgres {SELECT 1 WHERE to_regclass(:name) IS NOT NULL}
        mysql {
            SELECT 1 FROM information_schema.tables
            WHERE table_schema = DATABASE() AND table_name = :name
        }
    } $kind]
    return [expr {[llength [Ask $database $sql [dict create name $name]]] > 0}]
}

# Makes the tables.
proc ::tls::CaDatabase::Tables {database kind} {
    variable dialects
    variable schema
    foreach name {tls_ca_state tls_ca_certificate} column {changes subject_hash} {
        if {![Present $database $kind $name]} {
            continue
        }
        # In MySQL a command that died can have left one, empty. Whatever else has this name is somebody else's.
        set ours [expr {
            $kind eq "mysql" && ![catch {
                Ask $database "SELECT $column FROM $name LIMIT 1"
            } rows] && [llength $rows] == 0
        }]
        if {!$ours} {
            throw [list TLS CA DATABASE foreign $name] \
                "the database has a table \"$name\" that is none of an authority's"
        }
        $database allrows "DROP TABLE $name"
    }
    foreach statement $schema {
        $database allrows [string map [dict get $dialects $kind] $statement]
    }
}
