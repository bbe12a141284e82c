use haft::*;
#[test]
fn smoke() {
    let h = Handle::new(String::from("x"));
    assert_eq!(*h.get().unwrap(), "x");
    let g = h.get().unwrap();
    assert_eq!(h.remove().unwrap(), Removal::Deferred);
    assert_eq!(h.get().unwrap_err().kind(), ErrorKind::Stale);
    println!("{}", h.get().unwrap_err());
    drop(g);
    println!("{}", h.get().unwrap_err());
    let r: Registry<u64> = Registry::new();
    let hs: Vec<_> = (0..10000).map(|i| r.insert(i)).collect();
    for (i, h) in hs.iter().enumerate() {
        assert_eq!(*r.get(*h).unwrap(), i as u64);
        assert_eq!(*h.get().unwrap(), i as u64);
    }
    assert_eq!(r.len(), 10000);
    std::thread::scope(|s| {
        s.spawn(|| {
            for h in &hs {
                assert_eq!(r.remove(*h).unwrap(), Removal::Dropped)
            }
        });
    });
    assert_eq!(r.len(), 0);
    println!("{:?}", r.stats());
    let h2 = r.insert(1);
    println!("{}", Handle::<u32>::from_bits(h2.to_bits()).unwrap().get().unwrap_err());
    drop(r);
    println!("{}", h2.get().unwrap_err());
    println!("{:?}", stats());
    let _l = Handle::new(5u8);
    println!("{}", leaks());
}
#[test]
fn threads() {
    let h = Handle::new(7u64);
    let ts: Vec<_> = (0..4)
        .map(|_| {
            std::thread::spawn(move || {
                for _ in 0..100000 {
                    assert_eq!(*h.get().unwrap(), 7);
                    let k = Handle::new(1u64);
                    let g = k.get().unwrap();
                    k.remove().unwrap();
                    drop(g);
                }
            })
        })
        .collect();
    for t in ts {
        t.join().unwrap();
    }
    h.delete();
}
