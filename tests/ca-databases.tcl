# ca-databases.tcl -- databases for the tests of tls::ca: SQLite, and servers of PostgreSQL and MariaDB
# that a test file starts for itself and that end with it.

namespace eval databases {
    # How to connect to each kind that is there: the driver, and what its connection is made with.
    variable kinds {}

    # The handles of the servers.
    variable servers {}

    # The folder of everything; its name is short because it is that of a socket, too.
    variable folder {}

    # How many databases there were.
    variable count 0

    # Runs a server until its standard input ends.
    variable keeper {
        folder=$1 signal=$2
        shift 2
        "$@" >"$folder/log" 2>&1 &
        server=$!
        echo started
        cat >/dev/null
        kill -s "$signal" $server
        wait $server
        rm -rf "$folder"
    }
}

# databases::open --
#       Starts what there is.
#
# Results:
#       The kinds, each of which is also a constraint: sqlite3, postgres, mysql.
proc databases::open {} {
    variable kinds
    variable folder
    foreach kind {sqlite3 postgres mysql} {
        tcltest::testConstraint $kind 0
        if {[catch {package require tdbc::$kind}]} {
            continue
        }
        set folder [exec mktemp -d /tmp/tls-ca.XXXXXX]
        file attributes $folder -permissions 0755
        if {[catch {Open $kind} connection]} {
            # A server that isn't there is one thing, one that doesn't start another.
            file delete -force $folder
            end
            error "can't start $kind: $connection"
        }
        if {$connection ne {}} {
            dict set kinds $kind $connection
            tcltest::testConstraint $kind 1
        } else {
            file delete -force $folder
        }
    }
    return [dict keys $kinds]
}

# Starts one kind; gives how to connect to it, or nothing if there is no such server.
proc databases::Open {kind} {
    variable folder
    switch $kind {
        sqlite3 {
            return [list $folder]
        }
        postgres {
            return [Postgres]
        }
        mysql {
            return [Mysql]
        }
    }
}

# Starts PostgreSQL, which refuses to run as root.
proc databases::Postgres {} {
    variable folder
    set programs [lindex [lsort -dictionary [glob -nocomplain /usr/lib/postgresql/*/bin]] end]
    if {![file executable [file join $programs postgres]]} {
        return {}
    }
    set data [file join $folder data]
    set as [Unprivileged]
    exec {*}$as [file join $programs initdb] -D $data -A trust -U ca --no-sync </dev/null 2>@1
    Start INT {*}$as [file join $programs postgres] -D $data -c listen_addresses= \
        -c unix_socket_directories=$folder -c max_connections=40
    set options [list -host $folder -user ca -db postgres]
    helpers::until {expr {![catch {tdbc::postgres::connection create ::probe {*}$options}]}}
    ::probe close
    return $options
}

# Starts MariaDB or MySQL, without the tables of its own that hold users and rights.
proc databases::Mysql {} {
    variable folder
    set program [helpers::program mariadbd]
    if {$program eq {}} {
        return {}
    }
    set data [file join $folder data]
    set socket [file join $folder sock]
    set as [Unprivileged]
    file mkdir $data
    if {[llength $as]} {
        file attributes $data -owner nobody
    }
    # A server that was only unpacked has its messages beside it.
    set messages [file join [file dirname $program] .. share mysql]
    Start TERM {*}$as $program --no-defaults --datadir=$data --socket=$socket --skip-networking \
        --skip-grant-tables --lc-messages-dir=$messages --pid-file=[file join $data pid]
    helpers::until {
        expr {![catch {tdbc::mysql::connection create ::probe -socket $socket -user root}]}
    }
    ::probe close
    return [list -socket $socket -user root]
}

# The words that run a program as somebody else than root.
proc databases::Unprivileged {} {
    variable folder
    if {[exec id -u] != 0} {
        return {}
    }
    set user nobody
    file attributes $folder -owner $user
    return [list setpriv --reuid=$user --clear-groups --]
}

# Starts a server.
proc databases::Start {signal args} {
    variable keeper
    variable servers
    variable folder
    set server [helpers::start sh -c $keeper sh $folder $signal {*}$args]
    lappend servers $server
    helpers::said $server started
}

# databases::make --
#       Makes an empty database.
#
# Arguments:
#       kind    its kind
#
# Results:
#       The command that connects to it, but for the name of the connection between its words.
proc databases::make {kind} {
    variable kinds
    variable count
    set connection [dict get $kinds $kind]
    set name ca[incr count]
    switch $kind {
        sqlite3 {
            return [list tdbc::sqlite3::connection create @ [file join $connection $name.db]]
        }
        postgres {
            # A schema of its own is as good as a database.
            tdbc::postgres::connection create ::probe {*}$connection
            try {
                ::probe allrows "CREATE DATABASE $name"
            } finally {
                ::probe close
            }
            return [list tdbc::postgres::connection create @ {*}[dict replace $connection -db $name]]
        }
        mysql {
            tdbc::mysql::connection create ::probe {*}$connection
            try {
                ::probe allrows "CREATE DATABASE $name"
            } finally {
                ::probe close
            }
            return [list tdbc::mysql::connection create @ {*}$connection -db $name]
        }
    }
}

# databases::connect --
#       Connects to a database.
#
# Arguments:
#       command     what make gave
#       name        the connection's name
#
# Results:
#       The name.
proc databases::connect {command {name ::db}} {
    return [{*}[lmap word $command {expr {$word eq "@" ? $name : $word}}]]
}

# databases::ask --
#       Asks a database directly.
#
# Arguments:
#       sql     the question
#
# Results:
#       The values of all rows in one list.
proc databases::ask {sql} {
    return [concat {*}[::db allrows -as lists $sql]]
}

# databases::end --
#       Ends all servers.
#
# Results:
#       None.
proc databases::end {} {
    variable servers
    variable kinds
    foreach server $servers {
        close $server write
        helpers::ended $server
    }
    if {[dict exists $kinds sqlite3]} {
        file delete -force {*}[dict get $kinds sqlite3]
    }
}
