# ca-configuration.tcl -- the configuration that an authority of the tests gets, unless a test has its own; and, with
# a few settings changed, one of the benchmarks.

namespace eval authority {
    # All names are in the folder that is current. What a call leaves to chance is fixed: certificates begin in 2030.
    variable configuration {
        oid_section = own_objects
        [own_objects]
        ownTrial = 1.3.6.1.4.1.55555.7
        [ca]
        default_ca = main
        [main]
        dir = .
        database = $dir/index.txt
        new_certs_dir = $dir/newcerts
        certificate = $dir/ca.pem
        private_key = $dir/ca.key
        serial = $dir/serial
        crlnumber = $dir/crlnumber
        default_md = sha256
        default_startdate = 20300101000000Z
        default_enddate = 20310101000000Z
        default_crl_days = 30
        policy = loose
        [other]
        dir = .
        database = $dir/index.txt
        new_certs_dir = $dir/newcerts
        certificate = $dir/ca.pem
        private_key = $dir/ca.key
        serial = $dir/serial
        default_md = sha384
        default_days = 10
        default_startdate = 20300101000000Z
        default_enddate = 20310101000000Z
        policy = tight
        unique_subject = no
        [loose]
        countryName = optional
        organizationName = optional
        organizationalUnitName = optional
        commonName = supplied
        emailAddress = optional
        [tight]
        organizationName = match
        commonName = supplied
        [empty]
        [leaf]
        basicConstraints = CA:FALSE
        keyUsage = critical, digitalSignature
        subjectKeyIdentifier = hash
        authorityKeyIdentifier = keyid, issuer:always
        [names]
        subjectAltName = DNS:a.example.org, email:copy
        [authority]
        basicConstraints = critical, CA:TRUE, pathlen:0
        [bare]
        keyUsage = digitalSignature
        subjectKeyIdentifier = none
        authorityKeyIdentifier = none
        [crl]
        authorityKeyIdentifier = keyid:always
        [nothing]
    }
}
