# make.tcl -- makes the seeds for the fuzz targets: a small message of each type and form.
#
# Usage: tclsh fuzz/corpus/make.tcl PACKAGE
#
# PACKAGE is the folder of a built package. Certificates are those of the tests, in build/certs.

lassign $argv package
set here [file dirname [file normalize [info script]]]
set certs [file join $here .. .. build certs]
set dir [file normalize $package]
source [file join $dir pkgIndex.tcl]
package require tls

proc Seed {target name bytes} {
    file mkdir [file join $::here $target]
    set file [open [file join $::here $target seed-$name] wb]
    puts -nonewline $file $bytes
    close $file
}

proc Certificate {name} {
    return [file join $::certs $name]
}

set rsa [Certificate mail-rsa-both.pem]
set ec [Certificate mail-ec-both.pem]
set key {-secretkey 000102030405060708090a0b0c0d0e0f}
foreach {name words} [subst {
    signed {-sign -nodetach -signer $ec}
    stream {-sign -nodetach -stream -signer $ec}
    detached {-sign -signer $ec}
    bare {-sign -nodetach -noattr -nocerts -signer $ec -signer $rsa}
    pss {-sign -nodetach -keyid -signer $rsa -keyopt rsa_padding_mode:pss -nocerts}
    request {-sign -nodetach -signer $ec -receipt_request_all -receipt_request_to a@b}
    enveloped {-encrypt -aes128 [Certificate mail-rsa.pem]}
    agreed {-encrypt -aes128 [Certificate mail-ec.pem]}
    password {-encrypt -aes128 -pwri_password x}
    shared {-encrypt -aes128 $key -secretkeyid 01}
    gcm {-encrypt -aes-128-gcm [Certificate mail-ec.pem]}
    encrypted {-EncryptedData_encrypt -aes128 $key}
    digested {-digest_create}
    compressed {-compress}
    data {-data_create}
    datastream {-data_create -stream}
}] {
    # Certificates of recipients stand behind the options.
    set words [linsert $words 1 -data "hello\n" -outform]
    Seed cms_message $name [tls::cms {*}[linsert $words 4 DER]]
    if {$name in {signed detached enveloped compressed}} {
        Seed cms_mime $name [tls::cms {*}[linsert $words 4 SMIME]]
        Seed cms_mime $name-pem [tls::cms {*}[linsert $words 4 PEM]]
    }
}
set request [tls::cms -sign -nodetach -signer $ec -receipt_request_all -receipt_request_to a@b -data x]
Seed cms_message receipt [tls::cms -sign_receipt -data $request -signer $ec -outform DER]
set mail [tls::cms -sign -signer $ec -data "Content-Type: text/plain\n\nhello\n"]
Seed cms_mime list "Content-Type: multipart/mixed; boundary=list\n\n--list\n$mail\n--list\n\nfooter\n--list--\n"
Seed cms_mime forwarded "Content-Type: message/rfc822\n\nSubject: x (y\n\tz)\n$mail"
Seed cms_mime parameters [string map [list "boundary=\"" "boundary*0*=us-ascii'en'%2D; boundary*1=\""] $mail]
set message [tls::cms -sign -nodetach -signer $ec -data hello -outform DER]
Seed cms_mime beside [join [list {Content-Type: multipart/signed; boundary=b} {} --b hello --b \
    {Content-Type: application/pkcs7-signature} {Content-Transfer-Encoding: base64} {} \
    [binary encode base64 -maxlen 64 $message] --b-- {}] \n]
Seed cms_mime quoted "Content-Type: application/pkcs7-mime\nContent-Transfer-Encoding: quoted-printable\n\n=30=80=06\n"

# Messages to servers of tls::cmp: those that a client makes, by a secret, by a signature, and unprotected.
proc Read {name} {
    set file [open $name rb]
    try {
        return [read $file]
    } finally {
        close $file
    }
}

# The messages of a transaction with a test server in the same process.
proc Requests {name words} {
    global ec folder
    set files [lmap number {1 2 3 4} {file join $folder $number.der}]
    file delete {*}$files
    set server [list -use_mock_srv -srv_ref fuzz -srv_secret pass:fuzz -srv_cert $ec -srv_key $ec \
        -rsp_cert $ec -accept_unprotected -accept_raverified -poll_count 1 -check_after 0]
    catch {tls::cmp {*}$words -config {} {*}$server -reqout $files}
    set number 0
    foreach file $files {
        if {[file exists $file]} {
            Seed cmp_server $name[expr {[incr number] > 1 ? "-$number" : ""}] [Read $file]
        }
    }
}

set folder [file join $here .. .. build fuzz-[pid]]
file mkdir $folder
set new [list -newkey $ec -subject /CN=new]
set mac {-ref fuzz -secret pass:fuzz}
set csr [file join $folder new.csr]
exec openssl req -new -key $ec -subj /CN=new -out $csr
foreach {protection words} [list mac $mac signed [list -cert $ec -key $ec -trusted $ec] \
    open {-ref fuzz -unprotected_requests}] {
    Requests $protection-ir [list ir {*}$words {*}$new -sans critical,a.example,10.0.0.1 -days 9]
    Requests $protection-kur [list kur {*}$words {*}$new -oldcert $ec]
    Requests $protection-rr [list rr {*}$words -oldcert $ec -revreason 4]
    Requests $protection-genm [list genm {*}$words -infotype caCerts -geninfo 1.2.3:int:4]
}
Requests mac-cr [list cr {*}$mac {*}$new -implicit_confirm -profile some]
Requests open-cr [list cr -ref fuzz -unprotected_requests {*}$new -popo 0]
Requests mac-p10cr [list p10cr {*}$mac -csr $csr]
file delete -force $folder

# Bodies that the library doesn't make: a nested message, an error, an announcement.
set name \xa4\x02\x30\x00
foreach {word body} [list nested [binary format H* b40430023000] error [binary format H* b709300730050201023000] \
    announced [binary format H* b2023000]] {
    set header [binary format H*a* 020102 $name$name[binary format H* a40404021234]]
    set header [binary format H2ca* 30 [string length $header] $header]
    Seed cmp_server $word [binary format H2ca* 30 [string length $header$body] $header$body]
}
