# ca-transaction.tcl --
#       Transactions of tls::ca on databases behind TDBC connections, which each of them begins in a way
#       of its own (ca-database.tcl).

# tls::CaDatabase db begin --
#       Begins a transaction. One that changes anything waits until no other does. One that only looks
#       sees everything as it was at one moment.
#
# Arguments:
#       database    The connection.
#       purpose     look, add or change.
#       patience    How many milliseconds to wait.
#
# Results:
#       A list of the next serial number, the next CRL number, whether subjects are unique, and when
#       the last revocation list was made; what isn't known is empty.
#
# Errors:
#       When the connection is in a transaction, which stays as it is.
proc ::tls::CaDatabase::begin {database purpose patience} {
    set kind [kind $database]
    Begin $database $kind $purpose $patience
    try {
        set state [State $database $kind [expr {$purpose eq "change"}]]
        # Who adds under a random serial number needs nobody to wait, unless for the subject's sake.
        if {$purpose eq "add" && [lindex $state 2]} {
            set state [State $database $kind 1]
        }
        # In MySQL a command that died can have left tables, empty.
        if {$state eq {}} {
            Absent
        }
        return $state
    } on error {message options} {
        catch {rollback $database}
        Explain $database $kind $message $options
    }
}

# tls::CaDatabase db commit, tls::CaDatabase db rollback --
#       End a transaction.
#
# Arguments:
#       database    The connection.
#
# Results:
#       None.
proc ::tls::CaDatabase::commit {database} {
    try {
        End $database commit
    } on error {message options} {
        catch {End $database rollback}
        return -options $options $message
    } finally {
        Restore $database
    }
    return
}
proc ::tls::CaDatabase::rollback {database} {
    try {
        End $database rollback
    } finally {
        Restore $database
    }
    return
}

# Begins a transaction, with what must be so for its time. The caller's own is never taken for one.
#
# In servers, one that changes anything sees at each question what others have done by then: it asks
# when it has the lock, and nothing that was seen before counts.
proc ::tls::CaDatabase::Begin {database kind purpose patience} {
    Begin($kind) $database $purpose $patience
}
proc ::tls::CaDatabase::Begin(sqlite3) {database purpose patience} {
    # SQLite's own way to wait for others sleeps longer and longer, and nobody works meanwhile.
    set handle [$database getDBhandle]
    Keep $database [list apply {{database handle busy} {
        $handle busy {}
        $database configure -timeout [$database configure -timeout]
        if {$busy ne {}} {
            $handle busy $busy
        }
    }} $database $handle [$handle busy]]
    $handle busy [list ::tls::CaDatabase::Waited [expr {[clock milliseconds] + $patience}]]
    set synchronous [lindex [Ask $database {PRAGMA synchronous}] 0 0]
    if {$synchronous < 2 && $purpose ne "look"} {
        # Only so does a commit wait for the disk. In a transaction of the caller's it fails, as the next does.
        catch {
            Ask $database {PRAGMA synchronous = FULL}
            Keep $database [list ::tls::CaDatabase::Ask $database "PRAGMA synchronous = $synchronous"]
        }
    }
    try {
        Ask $database [expr {$purpose eq "look" ? "BEGIN" : "BEGIN IMMEDIATE"}]
    } on error {message options} {
        Restore $database
        if {[string match "*within a transaction*" $message]} {
            Inside
        }
        return -options $options $message
    }
}
proc ::tls::CaDatabase::Begin(postgres) {database purpose patience} {
    # PostgreSQL only warns of a transaction in a transaction. But a setting that is local to one is gone
    # with the next statement, unless there was one.
    Ask $database {SELECT set_config('tls_ca.inside', 'yes', true)}
    if {[lindex [Ask $database {SHOW tls_ca.inside}] 0 0] eq "yes"} {
        Inside
    }
    Ask $database "BEGIN ISOLATION LEVEL [expr {
    $purpose eq "look" ? "REPEATABLE READ, READ ONLY" : "READ COMMITTED"
}]"
    Ask $database "SET LOCAL lock_timeout = [expr {max(1, $patience)}]"
}
proc ::tls::CaDatabase::Begin(mysql) {database purpose patience} {
    # The server takes no bound variables here, and TDBC takes the server's own for such, but not in what
    # only the server knows to be no comment.
    set save {}
    set change {}
    set restore {}
    foreach {variable value} [list innodb_lock_wait_timeout [expr {max(1, ($patience + 999) / 1000)}] \
        group_concat_max_len 16777216 sql_mode 'STRICT_ALL_TABLES' character_set_client utf8mb4 \
        character_set_connection utf8mb4 character_set_results utf8mb4] {
        lappend save "@tls_$variable = @@SESSION.$variable"
        lappend change "SESSION $variable = $value"
        lappend restore "SESSION $variable = @tls_$variable"
    }
    Ask $database "/*! SET [join [concat $save $change] ,] */"
    Keep $database [list ::tls::CaDatabase::Ask $database "/*! SET [join $restore ,] */"]
    try {
        # This is refused in a transaction of the caller's, which beginning another one would end.
        Ask $database "SET TRANSACTION ISOLATION LEVEL [expr {
    $purpose eq "look" ? "REPEATABLE READ" : "READ COMMITTED"
}]"
        $database begintransaction
    } on error {message options} {
        Restore $database
        if {[lindex [dict get $options -errorcode] 2] in {25001 HYC00}} {
            Inside
        }
        return -options $options $message
    }
}

# Ends a transaction, by commit or rollback.
proc ::tls::CaDatabase::End {database how} {
    switch [kind $database] {
        mysql {
            $database $how
        }
        default {
            Ask $database [string toupper $how]
        }
    }
}

# Says that the caller has begun a transaction.
proc ::tls::CaDatabase::Inside {} {
    throw {TLS CA DATABASE transaction} \
        "the connection is in a transaction, and each command is one of its own"
}

# Notes what gives a connection back what Begin has changed.
proc ::tls::CaDatabase::Keep {database script} {
    namespace upvar [info object namespace $database] tlsKept kept
    lappend kept $script
}

# Gives a connection back what Begin has changed.
proc ::tls::CaDatabase::Restore {database} {
    namespace upvar [info object namespace $database] tlsKept kept
    if {![info exists kept]} {
        return
    }
    set scripts $kept
    unset kept
    foreach script $scripts {
        # A connection that was lost has nothing to be given back.
        catch {{*}$script}
    }
}

# What SQLite does when another has what it needs: waits a little, or gives up when true. Who waits for long
# leaves the processors to those who work, and comes back at no regular time.
proc ::tls::CaDatabase::Waited {deadline count} {
    if {[clock milliseconds] >= $deadline} {
        return 1
    }
    after [expr {$count < 1 ? 2 : 10 + int(20 * rand())}]
    return 0
}
